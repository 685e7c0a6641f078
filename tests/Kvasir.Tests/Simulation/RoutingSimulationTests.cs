using Kvasir.KvCache.Blocks;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;
using Kvasir.Planning.Traces.Generators;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Simulation;

/// <summary>Fleets behind routers, by the policies that serve, and what becomes of them when machines are lost.</summary>
public sealed class RoutingSimulationTests
{
    const int BlockTokens = 16;
    const long BytesPerToken = 1000, BlockBytes = BlockTokens * BytesPerToken;

    static readonly Placement[] s_ofRouters = [Placement.Prefix, Placement.Affinity, Placement.Random, Placement.RoundRobin];

    static SimulationOptions Fleet(int nodes, Placement placement, int deviceBlocks = 10_000, params SimulatedTier[] colder) => new()
    {
        Nodes = nodes,
        Placement = placement,
        Tiers = [new SimulatedTier(Tier.Device, deviceBlocks * BlockBytes, double.PositiveInfinity, TimeSpan.Zero, "lru"), .. colder],
        BytesPerToken = BytesPerToken,
        Prefill = new PrefillCost(0.001),
        SecondsPerOutputToken = 0.01,
        WantsBelady = false,
    };

    static SimulatedTier Store() => new(Tier.Remote, long.MaxValue, 1e9, TimeSpan.FromMilliseconds(1), "lru");

    static TraceRequest Request(double arrival, params long[] blocks) =>
        new(TimeSpan.FromSeconds(arrival), blocks.Length * BlockTokens, 0, blocks);

    static Trace Of(params TraceRequest[] requests) => new("test", BlockTokens, requests);

    static long[] Blocks(int kind, int count) => [.. Enumerable.Range(0, count).Select(i => 1000L * kind + i)];

    static Trace Chat() => TraceGenerator.Generate("chat:users=80,turns=6,over=200,think=15,system=200,question=100,answer=60", BlockTokens,
        TestContext.Current.CancellationToken);

    static SimulationResult Run(Trace trace, SimulationOptions options) =>
        Simulator.Run(trace, options, progress: null, TestContext.Current.CancellationToken);

    static (SimulationResult Result, List<int[]> Found) RunAndSee(Trace trace, SimulationOptions options)
    {
        List<int[]> found = [];
        return (Simulator.Run(trace, options, (_, tiers) => found.Add([.. tiers]), null, TestContext.Current.CancellationToken), found);
    }

    [Fact]
    public void Routers_find_nearly_what_one_big_cache_finds()
    {
        Trace trace = Chat();
        double big = Run(trace, Fleet(1, Placement.Prefix, 40_000) with { Prefill = new PrefillCost(0.00025) }).TokenHitRate;
        Dictionary<Placement, double> found = s_ofRouters.ToDictionary(how => how, how => Run(trace, Fleet(4, how)).TokenHitRate);
        Assert.InRange(found[Placement.Prefix], 0.95 * big, big + 0.01);
        Assert.InRange(found[Placement.Affinity], 0.9 * big, big + 0.01);
        Assert.True(found[Placement.Random] < 0.7 * big, $"{found[Placement.Random]} of {big}");
        Assert.True(found[Placement.RoundRobin] < 0.7 * big, $"{found[Placement.RoundRobin]} of {big}");
        Assert.InRange(Run(trace, Fleet(4, Placement.Prefix) with { Routers = 3 }).TokenHitRate, 0.9 * big, big + 0.01);
    }

    [Fact]
    public void The_same_run_twice_is_the_same()
    {
        Trace trace = Chat();
        foreach (Placement how in (Placement[])[Placement.Prefix, Placement.Random])
            Assert.Equal(Run(trace, Fleet(3, how)).Nodes.Select(node => (node.Requests, node.InputTokens)),
                Run(trace, Fleet(3, how)).Nodes.Select(node => (node.Requests, node.InputTokens)));
    }

    [Fact]
    public void A_burst_does_not_meet_on_one_machine_and_what_belongs_together_does()
    {
        TraceRequest[] burst = [.. Enumerable.Range(0, 40).Select(i => Request(10, Blocks(1 + i % 8, 20)))];
        SimulationResult result = Run(Of(burst), Fleet(4, Placement.Prefix));
        Assert.All(result.Nodes, node => Assert.InRange(node.Requests, 5, 15));
        Assert.Equal(32 * 19 * BlockTokens + 32 * 15, result.HitTokens); // each of the eight was computed once
    }

    [Fact]
    public void A_router_hears_of_what_others_sent_when_it_is_served()
    {
        // by turns: the second comes to another router, which knows nothing; the third to the first, which does
        TraceRequest[] requests = [Request(0, Blocks(1, 100)), Request(0, Blocks(1, 100)), Request(0, Blocks(1, 100)),
            Request(100, Blocks(1, 100))];
        SimulationResult two = Run(Of(requests), Fleet(2, Placement.Prefix) with { Routers = 2 }),
            one = Run(Of(requests), Fleet(2, Placement.Prefix));
        Assert.Equal(3 * 1599, one.HitTokens);
        Assert.InRange(two.HitTokens, 2 * 1599, 3 * 1599);
        Assert.Equal(4, one.Nodes.Max(node => node.Requests));
    }

    [Fact]
    public void What_was_evicted_leaves_the_maps()
    {
        // 60 blocks of room: the second prompt evicts the first, which machine 0 is not asked for again in vain
        TraceRequest[] requests = [Request(0, Blocks(1, 50)), Request(10, Blocks(2, 50)), Request(20, Blocks(3, 50)),
            Request(30, Blocks(4, 50)), Request(100, Blocks(1, 50)), Request(200, Blocks(1, 50))];
        (SimulationResult result, List<int[]> found) = RunAndSee(Of(requests), Fleet(2, Placement.Prefix, 60));
        Assert.Equal(50, found[5].Count(tier => tier == 0));
        Assert.Equal(6, result.Requests);
    }

    [Fact]
    public void What_a_lost_machine_had_not_begun_to_answer_is_sent_again()
    {
        // 1,600 tokens take 1.6 s; machine 0 is lost after one second
        Trace trace = Of(Request(0, Blocks(1, 100)), Request(0.5, Blocks(2, 100)), Request(10, Blocks(1, 100)));
        SimulationOptions options = Fleet(2, Placement.RoundRobin) with
        {
            Faults = [new Fault(TimeSpan.FromSeconds(1), FaultKind.NodeLoss, 0, 3600)],
        };
        SimulationResult result = Run(trace, options);
        Assert.Equal((1L, 0L, 3L), (result.Resent, result.CutAnswers, result.Requests));
        Assert.Equal(3 + 1.6, result.Ttft.P99, 6); // known after two seconds, and computed on the other machine
        Assert.Equal([0, 3], result.Nodes.Select(node => node.Requests));
        Assert.Equal(1599, result.HitTokens);
    }

    [Fact]
    public void Nobody_sends_anything_to_a_machine_that_is_known_to_be_lost_until_it_is_back()
    {
        TraceRequest[] requests = [.. Enumerable.Range(0, 100).Select(i => Request(i, Blocks(i, 10)))];
        foreach (Placement how in Enum.GetValues<Placement>())
        {
            SimulationOptions options = Fleet(4, how) with { Faults = [new Fault(TimeSpan.FromSeconds(50.5), FaultKind.NodeLoss, 1, 30)] };
            SimulationResult result = Run(Of(requests), options), whole = Run(Of(requests), options with { Faults = [] });
            Assert.Equal((100L, 100L), (result.Requests, whole.Requests));
            Assert.InRange(result.Resent, 0, 3); // in the two seconds until it is known
            Assert.True(result.Ttft.P99 < 3, $"{how}: {result.Ttft}");
            Assert.True(how == Placement.CacheAware || result.Nodes[1].Requests < whole.Nodes[1].Requests, $"{how}");
        }
    }

    [Fact]
    public void An_answer_that_has_begun_is_cut()
    {
        Trace trace = Of(new TraceRequest(TimeSpan.Zero, 160, 1000, Blocks(1, 10)), Request(100, Blocks(1, 10)));
        SimulationOptions options = Fleet(1, Placement.Prefix) with
        {
            Faults = [new Fault(TimeSpan.FromSeconds(5), FaultKind.NodeLoss, 0, 0)],
        };
        SimulationResult result = Run(trace, options);
        Assert.Equal((0L, 1L, 0L), (result.Resent, result.CutAnswers, result.HitTokens));
    }

    [Fact]
    public void When_all_are_lost_requests_wait_until_they_are_back()
    {
        SimulationOptions options = Fleet(2, Placement.Prefix) with
        {
            Faults = [new Fault(TimeSpan.FromSeconds(5), FaultKind.NodeLoss, null, 60)],
        };
        SimulationResult result = Run(Of(Request(0, Blocks(1, 10)), Request(10, Blocks(2, 10))), options);
        Assert.Equal(65 - 10 + 0.16, result.Ttft.P99, 6);
    }

    [Fact]
    public void One_of_eight_lost_leaves_nine_tenths_of_what_was_found_and_more_with_a_store()
    {
        Trace trace = TraceGenerator.Generate("chat:users=120,turns=8,over=60,think=20,system=200,question=100,answer=60", BlockTokens,
            TestContext.Current.CancellationToken);
        SimulationOptions options = Fleet(8, Placement.Prefix, 10_000) with
        {
            Faults = [new Fault(trace.Requests[trace.Requests.Count / 2].Arrival, FaultKind.NodeLoss, 3, 3600)],
        };
        LossResult alone = Assert.Single(Run(trace, options).Losses),
            stored = Assert.Single(Run(trace, options with { Tiers = [.. options.Tiers, Store()] }).Losses);
        Assert.InRange(alone.After, 0.9 * alone.Before, 1);
        Assert.InRange(stored.After, alone.After, 1);
    }

    /// <summary>Where prompts are spread over machines block by block, one of eight takes an eighth of each.</summary>
    [Fact]
    public void Holes_cost_what_is_missing_and_who_stops_at_them_loses_nearly_everything()
    {
        TraceRequest[] requests = [.. Enumerable.Range(0, 40).Select(i => Request(10 * i, Blocks(1 + i % 5, 100)))];
        SimulationOptions options = Fleet(8, Placement.Block) with
        {
            Faults = [new Fault(TimeSpan.FromSeconds(195), FaultKind.NodeLoss, 2, 1e6)],
        };
        (_, List<int[]> filled) = RunAndSee(Of(requests), options);
        (_, List<int[]> stopped) = RunAndSee(Of(requests), options with { StopsAtHoles = true });
        Assert.Equal(100, filled[19].Count(tier => tier == 0));
        Assert.InRange(filled[20].Count(tier => tier == 0), 75, 95);
        Assert.InRange(stopped[20].Count(tier => tier == 0), 0, 40);
        Assert.Equal(100, filled[30].Count(tier => tier == 0)); // computed once, and kept elsewhere
    }

    /// <summary>
    /// A third of an hour of conversations (Qin et al., "Mooncake", FAST 2025) on four machines, beside one of their room.
    /// </summary>
    [Fact]
    public void On_mooncakes_trace_routers_find_what_one_big_cache_finds_but_for_a_twentieth()
    {
        Trace trace = TraceReader.Read(Checkout.Shared("traces/mooncake_conversation.jsonl"),
            cancellation: TestContext.Current.CancellationToken).Trace;
        trace = trace with { Requests = [.. trace.Requests.Take(trace.Requests.Count / 3)] };
        SimulationOptions four = new()
        {
            Nodes = 4,
            Placement = Placement.Prefix,
            Tiers = [new SimulatedTier(Tier.Device, 1L << 40, double.PositiveInfinity, TimeSpan.Zero, "lru")],
            BytesPerToken = 64 << 10,
            Prefill = new PrefillCost(1 / 20_000.0),
            WantsBelady = false,
        };
        SimulationResult routed = Run(trace, four), random = Run(trace, four with { Placement = Placement.Random }),
            one = Run(trace, four with
            {
                Nodes = 1,
                Prefill = new PrefillCost(1 / 80_000.0),
                Tiers = [four.Tiers[0] with { Bytes = 4L << 40 }],
            });
        Assert.InRange(routed.HitTokens, 0.95 * one.HitTokens, one.HitTokens);
        Assert.True(random.HitTokens < 0.6 * one.HitTokens, $"{random.HitTokens} of {one.HitTokens}");
        Assert.True(routed.Ttft.P90 < 0.6 * random.Ttft.P90, $"{routed.Ttft} and {random.Ttft}");
    }
}
