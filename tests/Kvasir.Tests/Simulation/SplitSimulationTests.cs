using Kvasir.KvCache.Blocks;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;
using Kvasir.Planning.Traces.Generators;

namespace Kvasir.Tests.Simulation;

/// <summary>Fleets in which some machines compute prompts and others answer.</summary>
public sealed class SplitSimulationTests
{
    const int BlockTokens = 16;
    const long BytesPerToken = 1000, BlockBytes = BlockTokens * BytesPerToken;

    static SimulationOptions Fleet(int answer, int compute, double peerBytesPerS = 1e12, double latency = 0) => new()
    {
        Nodes = answer,
        PrefillNodes = compute,
        Peers = new PeerOptions { BytesPerS = peerBytesPerS, Latency = TimeSpan.FromSeconds(latency) },
        Placement = Placement.Prefix,
        Tiers = [new SimulatedTier(Tier.Device, 10_000 * BlockBytes, double.PositiveInfinity, TimeSpan.Zero, "lru")],
        BytesPerToken = BytesPerToken,
        Prefill = new PrefillCost(0.001),
        SecondsPerOutputToken = 0.01,
        WantsBelady = false,
    };

    static TraceRequest Request(double arrival, int tokens, params long[] blocks) =>
        new(TimeSpan.FromSeconds(arrival), tokens, 0, blocks);

    static long[] Blocks(int kind, int count) => [.. Enumerable.Range(0, count).Select(i => 1000L * kind + i)];

    static Trace Of(params TraceRequest[] requests) => new("test", BlockTokens, requests);

    static SimulationResult Run(Trace trace, SimulationOptions options) =>
        Simulator.Run(trace, options, progress: null, TestContext.Current.CancellationToken);

    [Fact]
    public void Nothing_is_computed_twice_and_the_end_where_it_is_answered()
    {
        // 62 whole blocks and 8 tokens
        SimulationResult result = Run(Of(Request(0, 1000, Blocks(1, 63))), Fleet(1, 1));
        Assert.Equal(1.0, result.PrefillSeconds, 6);
        Assert.Equal((0.008, 0.992), (Math.Round(result.Nodes[0].PrefillSeconds, 6), Math.Round(result.Nodes[1].PrefillSeconds, 6)));
        Assert.Equal((992L, 0L), (result.Nodes[0].PeerTokens, result.Nodes[1].PeerTokens));
        Assert.Equal(1.0, result.Ttft.P99, 3); // a fast way adds nothing but its last chunk
        Assert.Equal(1, result.Requests);
    }

    [Fact]
    public void Blocks_come_while_others_are_computed()
    {
        // 2,048 tokens in four chunks, of which each takes a quarter of 0.2 s to send: only the last is not hidden
        Trace trace = Of(Request(0, 2049, Blocks(1, 129)));
        Assert.Equal(2.048 + 0.001 + 0.05, Run(trace, Fleet(1, 1, 2048 * BytesPerToken / 0.2)).Ttft.P99, 6);
        // and where sending takes longer than computing, the first chunk is waited for, and then all of the sending
        Assert.Equal(0.512 + 20 + 0.001, Run(trace, Fleet(1, 1, 2048 * BytesPerToken / 20.0)).Ttft.P99, 6);
        Assert.Equal(2.048 + 0.001 + 0.05 + 2 * 0.1, Run(trace, Fleet(1, 1, 2048 * BytesPerToken / 0.2, 0.1)).Ttft.P99, 6);
    }

    [Fact]
    public void Blocks_are_on_both_machines_afterwards()
    {
        SimulationResult result = Run(Of(Request(0, 1000, Blocks(1, 63)), Request(10, 1000, Blocks(1, 63))), Fleet(1, 1));
        Assert.Equal(999, result.Nodes[0].HitTokens[0]); // nobody was asked
        Assert.Equal((1L, 992L), (result.Nodes[1].Requests, result.Nodes[0].PeerTokens));
        // two that answer: the second has nothing, and who computes has everything
        result = Run(Of(Request(0, 1000, Blocks(1, 63)), Request(10, 1000, Blocks(1, 63))),
            Fleet(2, 1) with { Placement = Placement.RoundRobin });
        Assert.Equal((992L, 992L), (result.Nodes[0].PeerTokens, result.Nodes[1].PeerTokens));
        Assert.Equal((992L, 992L), (result.Nodes[2].HitTokens[0], result.HitTokens));
        Assert.Equal(1.0 + 0.008 + 0.001, result.PrefillSeconds, 6); // who is asked for what it has computes a token, as for an answer
    }

    [Fact]
    public void What_was_answered_elsewhere_is_sent_there_for_the_next_turn()
    {
        // the answer's 100 blocks are of who answered; who computes asks for them
        TraceRequest first = new(TimeSpan.Zero, 160, 1600, Blocks(1, 10), [.. Blocks(1, 10), .. Blocks(2, 100)]),
            next = Request(100, 1601 + 160 + 160, [.. Blocks(1, 10), .. Blocks(2, 99), .. Blocks(3, 12)]);
        SimulationResult result = Run(Of(first, next), Fleet(1, 1));
        Assert.Equal(109 * 16, result.Nodes[0].HitTokens[0]);
        Assert.Equal((99 + 1) * 16, result.Nodes[1].PeerTokens); // and the block in which the first prompt ends
        Assert.Equal((9 + 11) * 16, result.Nodes[0].PeerTokens);
    }

    [Fact]
    public void Conversations_have_their_prompts_computed_on_one_machine_unless_much_waits_there()
    {
        Trace trace = TraceGenerator.Generate("chat:users=60,turns=5,over=200,think=15,system=0,question=100,answer=60", BlockTokens,
            TestContext.Current.CancellationToken);
        SimulationResult three = Run(trace, Fleet(3, 3)), none = Run(trace, Fleet(3, 0));
        Assert.InRange(three.PrefillSeconds, 0.9 * none.PrefillSeconds, 1.05 * none.PrefillSeconds); // no answer is computed again
        Assert.Equal(trace.Requests.Count, three.Requests);
        Assert.All(three.Nodes.Skip(3), node => Assert.True(node.Requests > 0));
        TraceRequest[] burst = [.. Enumerable.Range(0, 20).Select(i => Request(1, 1601, [1, 2, .. Blocks(1 + i, 99)]))];
        Assert.All(Run(Of(burst), Fleet(1, 4)).Nodes.Skip(1), node => Assert.InRange(node.Requests, 4, 6));
    }

    [Fact]
    public void Little_is_computed_where_it_is_answered()
    {
        SimulationResult result = Run(Of(Request(0, 1600, Blocks(1, 100)), Request(10, 1650, Blocks(1, 104))), Fleet(1, 1));
        Assert.Equal(1.6 + 0.05, result.PrefillSeconds, 6);
        Assert.Equal(99 * 16, result.Nodes[0].PeerTokens);
    }

    [Theory]
    [InlineData(3, 60)] // who computes, amid a prompt
    [InlineData(2, 60)]
    [InlineData(0, 60)] // who answers
    [InlineData(1, 0)]
    public void Whoever_is_lost_all_requests_are_served(int node, double seconds)
    {
        TraceRequest[] requests = [.. Enumerable.Range(0, 50).Select(i => Request(i, 1000, Blocks(i % 20, 63)))];
        SimulationOptions options = Fleet(2, 2) with
        {
            Faults = [new Fault(TimeSpan.FromSeconds(10.5), FaultKind.NodeLoss, node, seconds)],
        };
        SimulationResult result = Run(Of(requests), options);
        Assert.Equal(50, result.Requests);
        Assert.InRange(result.Ttft.P99, 1, 6);
    }

    [Fact]
    public void While_nobody_is_there_to_compute_who_answers_does()
    {
        SimulationOptions options = Fleet(1, 1) with { Faults = [new Fault(TimeSpan.FromSeconds(0.5), FaultKind.NodeLoss, 1, 30)] };
        SimulationResult result = Run(Of(Request(0, 1000, Blocks(1, 63)), Request(4, 1000, Blocks(2, 63))), options);
        Assert.Equal(2.5 + 1, result.Ttft.P99, 6); // known after two seconds
        Assert.Equal(1, result.Ttft.P50, 6);
        Assert.Equal((2L, 0L), (result.Nodes[0].Requests, result.Nodes[1].Requests));
    }

    [Fact]
    public void Nonsense_is_refused()
    {
        Trace trace = Of(Request(0, 1000, Blocks(1, 63)));
        Assert.Throws<ArgumentException>(() => Run(trace, Fleet(1, 1) with { IsInstant = true }));
        Assert.Throws<ArgumentException>(() => Run(trace, Fleet(2, 1) with { Placement = Placement.Block }));
        Assert.Throws<ArgumentException>(() => Run(trace, Fleet(1, 1, 0)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Run(trace, Fleet(1, -1)));
    }
}
