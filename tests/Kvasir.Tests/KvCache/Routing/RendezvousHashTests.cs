using CsCheck;
using Kvasir.KvCache.Routing;

namespace Kvasir.Tests.KvCache.Routing;

public class RendezvousHashTests
{
    static ulong[] Nodes(int count) => [.. Enumerable.Range(0, count).Select(node => RendezvousHash.Id($"http://node-{node}:8080"))];

    [Fact]
    public void A_node_that_goes_moves_its_keys_and_no_others() =>
        Gen.Select(Gen.Int[2, 12], Gen.Int[0, 11], Gen.ULong).Sample((count, gone, key) =>
        {
            ulong[] nodes = Nodes(count), rest = [.. nodes.Where((_, node) => node != gone % count)];
            int home = RendezvousHash.Highest(nodes, key);
            ulong next = rest[RendezvousHash.Highest(rest, key)];
            Assert.Equal(home == gone % count ? nodes[RendezvousHash.Order(nodes, key)[1]] : nodes[home], next);
        });

    [Fact]
    public void The_order_is_that_of_the_weights_whatever_the_order_of_the_nodes() =>
        Gen.Select(Gen.Int[1, 12], Gen.ULong).Sample((count, key) =>
        {
            ulong[] nodes = Nodes(count), reversed = [.. nodes.Reverse()];
            ulong[] order = [.. RendezvousHash.Order(nodes, key).Select(node => nodes[node])];
            Assert.Equal(order, RendezvousHash.Order(reversed, key).Select(node => reversed[node]));
            Assert.Equal(nodes.OrderByDescending(node => RendezvousHash.Weight(node, key)), order);
            Assert.Equal(order[0], nodes[RendezvousHash.Highest(nodes, key)]);
        });

    [Fact]
    public void Keys_spread_evenly_also_those_that_are_numbers_in_a_row()
    {
        int[] counts = new int[5];
        for (ulong key = 0; key < 10_000; key++)
            counts[RendezvousHash.Highest(Nodes(5), key)]++;
        Assert.All(counts, count => Assert.InRange(count, 1800, 2200));
    }

    /// <summary>Routers of other machines and versions have to agree.</summary>
    [Fact]
    public void Weights_are_pinned()
    {
        Assert.Equal(PinnedId, RendezvousHash.Id("http://10.0.0.1:8080"));
        Assert.Equal(PinnedWeight, RendezvousHash.Weight(RendezvousHash.Id("http://10.0.0.1:8080"), 1));
    }

    const ulong PinnedId = 5101054556108270888;
    const ulong PinnedWeight = 307902879631831267;

    [Fact]
    public void Without_nodes_there_is_none() => Assert.Equal(-1, RendezvousHash.Highest([], 1));
}
