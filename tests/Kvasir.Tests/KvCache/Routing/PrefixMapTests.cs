using CsCheck;
using Kvasir.KvCache.Routing;

namespace Kvasir.Tests.KvCache.Routing;

public class PrefixMapTests
{
    /// <summary>Random steps against a list in the order of use.</summary>
    [Fact]
    public void The_map_behaves_like_a_list_of_which_the_oldest_go() =>
        Gen.Select(Gen.Int[0, 5], Gen.Int[0, 2], Gen.ULong[0, 15].Array[0, 8]).Array[0, 60].Sample(steps =>
        {
            const int Capacity = 6;
            var map = new PrefixMap(Capacity);
            List<ulong>[] model = [[], [], []];
            foreach ((int kind, int node, ulong[] hashes) in steps)
            {
                if (kind == 0)
                {
                    map.Clear(node);
                    model[node].Clear();
                }
                else if (kind == 1)
                {
                    map.Remove(node, hashes);
                    model[node].RemoveAll(hashes.Contains);
                }
                else
                {
                    map.Add(node, hashes);
                    foreach (ulong hash in hashes.Reverse())
                    {
                        model[node].Remove(hash);
                        model[node].Add(hash);
                        if (model[node].Count > Capacity)
                            model[node].RemoveAt(0);
                    }
                }
                for (int other = 0; other < 3; other++)
                {
                    Assert.Equal(model[other].Count, map.Count(other));
                    for (ulong hash = 0; hash <= 15; hash++)
                        Assert.Equal(model[other].Contains(hash) ? 1 : 0, map.Known(other, [hash]));
                }
            }
        });

    [Fact]
    public void Of_a_chain_the_end_is_forgotten_first()
    {
        var map = new PrefixMap(4);
        map.Add(0, [1, 2, 3, 4]);
        map.Add(0, [5]);
        Assert.Equal(3, map.Known(0, [1, 2, 3]));
        Assert.Equal(0, map.Known(0, [4]));
    }

    [Fact]
    public void What_lies_behind_a_hole_counts()
    {
        var map = new PrefixMap(10);
        map.Add(0, [1, 2, 3, 4]);
        map.Remove(0, [2]);
        Assert.Equal(3, map.Known(0, [1, 2, 3, 4]));
    }

    [Fact]
    public void Many_threads_may_add_remove_and_ask()
    {
        var map = new PrefixMap(1000);
        Parallel.For(0, 8, thread =>
        {
            var random = new Random(thread);
            for (int step = 0; step < 2000; step++)
            {
                ulong[] chain = [.. Enumerable.Range(0, 20).Select(_ => (ulong)random.Next(2000))];
                map.Add(thread % 5, chain);
                map.Known((thread + 1) % 5, chain);
                map.Remove((thread + 2) % 5, chain.AsSpan(0, 5));
            }
        });
        for (int node = 0; node < 5; node++)
            Assert.InRange(map.Count(node), 0, 1000);
    }

    [Fact]
    public void Once_it_is_full_nothing_is_allocated()
    {
        var map = new PrefixMap(256);
        ulong[] chain = new ulong[64];
        for (ulong round = 0; round < 20; round++)
            Fill(round);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (ulong round = 20; round < 40; round++)
            Fill(round);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Fill(ulong round)
        {
            for (int piece = 0; piece < chain.Length; piece++)
                chain[piece] = round * 1000 + (ulong)piece;
            map.Add(1, chain);
            Assert.True(map.Known(1, chain) == 64);
        }
    }
}
