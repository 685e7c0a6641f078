using CsCheck;
using Kvasir.KvCache.Routing;

namespace Kvasir.Tests.KvCache.Routing;

public class RoutingPolicyTests
{
    const double PieceTokens = 64;

    static readonly ulong[] s_chain = [.. Enumerable.Range(1, 16).Select(piece => (ulong)piece * 7919)];

    static NodeState Node(int number, NodeLoad load = default) => new(number, RendezvousHash.Id($"node-{number}"), load);

    static RoutedPrompt Prompt(ulong affinity = 5) => new(s_chain, 16 * 64, PieceTokens, affinity);

    [Fact]
    public void A_conversation_goes_where_its_prefix_is_until_the_wait_there_costs_more()
    {
        var map = new PrefixMap(1000);
        map.Add(1, s_chain.AsSpan(0, 12));
        RoutingPolicy policy = RoutingPolicy.Create(RoutingPolicyKind.Prefix, map);
        Assert.Equal(1, policy.Choose(Prompt(), [Node(0), Node(1), Node(2)]));
        Assert.Equal(1, policy.Choose(Prompt(), [Node(0), Node(1, new NodeLoad(2, 0, 3000, 1000)), Node(2)]));
        Assert.NotEqual(1, policy.Choose(Prompt(), [Node(0), Node(1, new NodeLoad(2, 0, 6000, 1000)), Node(2)]));
        Assert.NotEqual(1, policy.Choose(Prompt(), [Node(0), Node(1, new NodeLoad(60, 50, 0, 1000)), Node(2)]));
    }

    [Fact]
    public void Where_nobody_knows_anything_affinity_decides() => Gen.ULong.Sample(affinity =>
    {
        var map = new PrefixMap(10);
        NodeState[] nodes = [Node(0), Node(1), Node(2)];
        Assert.Equal(RoutingPolicy.Create(RoutingPolicyKind.Affinity, map).Choose(Prompt(affinity), nodes),
            RoutingPolicy.Create(RoutingPolicyKind.Prefix, map).Choose(Prompt(affinity), nodes));
    });

    [Fact]
    public void A_faster_node_is_worth_a_longer_queue()
    {
        var policy = new PrefixPolicy(new PrefixMap(10));
        NodeState slow = Node(0, new NodeLoad(0, 0, 0, 100)), fast = Node(1, new NodeLoad(1, 0, 5000, 1000));
        Assert.Equal(1, policy.Choose(Prompt(), [slow, fast]));
    }

    /// <summary>What is measured of equal machines differs; a cold fleet would fill one cache and leave the others empty.</summary>
    [Fact]
    public void Nodes_that_are_about_as_fast_share_what_is_new()
    {
        var policy = new PrefixPolicy(new PrefixMap(10));
        NodeState[] nodes = [.. ((double[])[700, 1000, 1300]).Select((rate, number) => Node(number, new NodeLoad(0, 0, 0, rate)))];
        int[] chosen = new int[3];
        for (ulong affinity = 0; affinity < 300; affinity++)
            chosen[policy.Choose(Prompt(affinity), nodes)]++;
        Assert.All(chosen, count => Assert.InRange(count, 70, 130));
    }

    [Fact]
    public void The_choice_costs_never_more_than_the_best_and_a_tenth() =>
        Gen.Select(Gen.Int[0, 16], Gen.Int[0, 20], Gen.Long[0, 5000], Gen.Double[1, 5000]).Array[1, 8].Select(Gen.Int[0, 16].Array[8],
            Gen.ULong).Sample((loads, known, affinity) =>
        {
            var map = new PrefixMap(100);
            NodeState[] nodes = [.. loads.Select(
                (load, number) => Node(number, new NodeLoad(load.Item1, load.Item2, load.Item3, load.Item4)))];
            for (int node = 0; node < nodes.Length; node++)
                map.Add(node, s_chain.AsSpan(0, known[node]));
            var policy = new PrefixPolicy(map);
            double usual = PrefixPolicy.UsualRate(nodes), best = nodes.Min(node => policy.Cost(Prompt(affinity), node, usual));
            int chosen = policy.Choose(Prompt(affinity), nodes);
            Assert.InRange(policy.Cost(Prompt(affinity), nodes[chosen], usual), best, best * 1.1000001);
            Assert.Equal(chosen, policy.Choose(Prompt(affinity), nodes));
        });

    [Fact]
    public void Of_two_equal_policies_the_same_calls_get_the_same_nodes()
    {
        NodeState[] nodes = [Node(0), Node(1), Node(2)];
        foreach (RoutingPolicyKind kind in Enum.GetValues<RoutingPolicyKind>())
        {
            var (one, other) = (RoutingPolicy.Create(kind, new PrefixMap(10), 7), RoutingPolicy.Create(kind, new PrefixMap(10), 7));
            for (int call = 0; call < 50; call++)
                Assert.Equal(one.Choose(Prompt((ulong)call), nodes), other.Choose(Prompt((ulong)call), nodes));
        }
    }

    [Fact]
    public void Round_robin_goes_round_and_random_everywhere()
    {
        NodeState[] nodes = [Node(0), Node(1), Node(2)];
        RoutingPolicy round = RoutingPolicy.Create(RoutingPolicyKind.RoundRobin, new PrefixMap(1)),
            random = RoutingPolicy.Create(RoutingPolicyKind.Random, new PrefixMap(1));
        Assert.Equal([0, 1, 2, 0, 1], Enumerable.Range(0, 5).Select(_ => round.Choose(Prompt(), nodes)));
        Assert.Equal(3, Enumerable.Range(0, 50).Select(_ => random.Choose(Prompt(), nodes)).Distinct().Count());
    }

    [Fact]
    public void Without_a_node_there_is_no_choice() => Assert.Throws<ArgumentException>(() =>
        RoutingPolicy.Create(RoutingPolicyKind.Affinity, new PrefixMap(1)).Choose(Prompt(), []));
}
