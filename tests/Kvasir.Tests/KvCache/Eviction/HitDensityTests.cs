using CsCheck;
using Kvasir.KvCache.Eviction;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;
using Kvasir.Planning.Traces.Generators;
using PlannedTrace = Kvasir.Planning.Traces.Trace;

namespace Kvasir.Tests.KvCache.Eviction;

/// <summary>What a policy gains that learns when blocks come back, and that it never loses much where there is nothing to learn.</summary>
public class HitDensityTests
{
    const int BlockTokens = 64;

    static double Share(PlannedTrace trace, string policy, int blocks) =>
        new PolicyReplay(trace, new PrefillCost(1e-4)).Run(policy, blocks, TestContext.Current.CancellationToken).Share;

    static PlannedTrace Made(string line) => TraceGenerator.Generate(line, BlockTokens, TestContext.Current.CancellationToken);

    /// <summary>Conversations of so many turns: after some have ended, it is known when others will.</summary>
    [Theory]
    [InlineData("chat:users=800,turns=8,think=120,seed=3", 3000, 0.04)]
    [InlineData("chat:users=600,turns=8,think=120,seed=5+scan:requests=120", 2500, 0.05)]
    [InlineData("rag:requests=3000,shuffle=0.5,seed=9", 2000, 0.05)]
    [InlineData("system:requests=4000,prompts=300,seed=4", 3000, 0.04)]
    public void It_finds_more_than_lru_and_no_more_than_foresight(string line, int blocks, double more)
    {
        PlannedTrace trace = Made(line);
        double lru = Share(trace, "lru", blocks), learned = Share(trace, "hit-density", blocks);
        Assert.True(learned > lru + more, $"{learned:P2} beside {lru:P2}");
        Assert.True(learned <= Share(trace, PolicyReplay.Belady, blocks));
    }

    /// <summary>Where the last used is the best choice, too, half a point is what learning may cost.</summary>
    [Theory]
    [InlineData("agent:tasks=100,steps=20,pause=20", 1500)]
    [InlineData("agent:tasks=100,steps=20,pause=20", 4000)]
    [InlineData("chat:users=200,turns=8", 300)]
    [InlineData("scan:requests=100", 3000)]
    public void It_loses_no_more_than_half_a_point(string line, int blocks)
    {
        PlannedTrace trace = Made(line);
        double lru = Share(trace, "lru", blocks), learned = Share(trace, "hit-density", blocks);
        Assert.True(learned >= lru - 0.005, $"{learned:P2} beside {lru:P2}");
    }

    [Fact]
    public void What_is_kept_can_be_found_from_the_first_block_on()
    {
        PlannedTrace trace = Made("chat:users=60,turns=6+scan:requests=20");
        var room = new BookedRoom(400, new HitDensity());
        for (int i = 0; i < trace.Requests.Count; i++)
        {
            long[] prompt = trace.Requests[i].Blocks;
            int there = prompt.TakeWhile(room.Holds).Count();
            Assert.Equal(there, prompt.Count(room.Holds));
            room.Serve(i, prompt, trace.Requests[i].Left ?? prompt);
        }
    }

    /// <summary>Nobody who does not know the future finds more than who does; against all traces of a few blocks.</summary>
    [Fact]
    public void Foresight_is_not_beaten() => Gen.Int[0, 6].Array[1, 4].Array[1, 40].Select(Gen.Int[1, 6]).Sample((requests, blocks) =>
    {
        PlannedTrace trace = new("made", 1, [.. requests.Select(request => new TraceRequest(TimeSpan.Zero, request.Length, 0, [
            .. Enumerable.Range(1, request.Length).Select(depth => request.Take(depth).Aggregate(1L, (id, symbol) => id * 7 + symbol))]))]);
        double best = Share(trace, PolicyReplay.Belady, blocks);
        foreach (string policy in PolicyReplay.Policies)
            Assert.True(Share(trace, policy, blocks) <= best + 1e-12, policy);
    }, iter: 300);

    /// <summary>Every block of one kind returns between 100 and 120 steps after its last use, none of the other does.</summary>
    [Fact]
    public void A_block_is_worth_most_just_before_it_is_due_and_least_when_that_is_past()
    {
        var rates = new ReturnRates(kinds: 2);
        for (int i = 0; i < 1000; i++)
        {
            rates.Return(0, 110);
            foreach (int bucket in (int[])[0, 1, 2])
                rates.Wait(0, bucket, 1, bucket == 2 ? 20 : BlockAge.Width(bucket));
            for (int bucket = 0; bucket < 12; bucket++)
                rates.Wait(1, bucket, 1, BlockAge.Width(bucket));
        }
        double[] worth = new double[2 * BlockAge.Buckets];
        rates.Learn(worth);
        int due = BlockAge.Bucket(110);
        Assert.Equal(2, due);
        Assert.True(worth[0] < worth[1] && worth[1] < worth[due] && worth[due] > 4 * worth[due + 3]);
        Assert.All(Enumerable.Range(0, 12), bucket => Assert.True(worth[BlockAge.Buckets + bucket] < worth[0]));
    }

    [Fact]
    public void Ages_fall_into_the_bucket_that_begins_at_or_before_them() => Gen.UInt.Sample(age =>
    {
        int bucket = BlockAge.Bucket(age);
        Assert.InRange(bucket, 0, BlockAge.Buckets - 1);
        Assert.True(BlockAge.Start(bucket) <= age && (age < BlockAge.Start(bucket + 1) || bucket == BlockAge.Buckets - 1));
    });

    /// <summary>Against lists: which queue is worth least, and who came into it first.</summary>
    [Fact]
    public void Queues_give_what_lists_would() =>
        Gen.Select(Gen.Int[0, 3], Gen.Int[0, 19], Gen.Int[0, 99]).Array[0, 200].Sample(steps =>
        {
            const int queues = 100;
            var ranked = new RankedQueues(queues);
            double[] worth = [.. Enumerable.Range(0, queues).Select(queue => (double)queue)];
            ranked.Rank(worth);
            List<int>[] lists = [.. Enumerable.Range(0, queues).Select(_ => new List<int>())];
            foreach ((int kind, int slot, int queue) in steps)
            {
                if (kind == 3)
                    ranked.Rank(worth = [.. worth.Select((value, i) => value * 31 % 97 + i / 1000.0)]);
                else if (lists.FirstOrDefault(list => list.Contains(slot)) is { } from)
                {
                    from.Remove(slot);
                    ranked.Remove(slot);
                }
                else
                {
                    lists[queue].Insert(kind == 2 ? 0 : lists[queue].Count, slot);
                    ranked.Add(slot, queue, asOldest: kind == 2);
                }
                int least = Enumerable.Range(0, queues).Where(i => lists[i].Count > 0).OrderBy(i => worth[i]).FirstOrDefault(-1);
                Assert.Equal(least, ranked.Least);
                Assert.Equal(lists.Sum(list => list.Count), ranked.Count);
                if (least >= 0)
                    Assert.Equal((lists[least][0], lists[least].Count), (ranked.Oldest(least), ranked.CountOf(least)));
                Assert.Equal(Array.FindIndex(lists, list => list.Contains(slot)), ranked.QueueOf(slot));
            }
        }, iter: 2000);

    [Fact]
    public void Ghosts_are_given_back_once_and_others_are_not_taken_for_them()
    {
        var ghosts = new GhostTable();
        ghosts.Add(NumberedKey.Of(1), 3, 7);
        Assert.False(ghosts.Take(NumberedKey.Of(1), out _, out _)); // no room yet
        ghosts.Fit(1000);
        for (int block = 0; block < 1000; block++)
            ghosts.Add(NumberedKey.Of(block), block % 32, (uint)block);
        int found = 0;
        for (int block = 0; block < 2000; block++)
            if (ghosts.Take(NumberedKey.Of(block), out int kind, out uint lastUse))
            {
                Assert.Equal((block % 32, (uint)block), (kind, lastUse));
                Assert.False(ghosts.Take(NumberedKey.Of(block), out _, out _));
                found++;
            }
        Assert.InRange(found, 700, 1000);
    }
}
