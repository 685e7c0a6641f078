using Kvasir.KvCache.Blocks;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;
using Kvasir.Planning.Traces.Generators;

namespace Kvasir.Tests.Simulation;

/// <summary>A store that machines share, at its limits and between them.</summary>
public sealed class StoreSimulationTests
{
    const int BlockTokens = 16;
    const long BytesPerToken = 1 << 16, BlockBytes = BlockTokens * BytesPerToken; // 1 MiB

    static SimulationOptions Fleet(int nodes, int deviceBlocks, params SimulatedTier[] colder) => new()
    {
        Nodes = nodes,
        Placement = Placement.RoundRobin,
        Tiers = [new SimulatedTier(Tier.Device, deviceBlocks * BlockBytes, double.PositiveInfinity, TimeSpan.Zero, "lru"), .. colder],
        BytesPerToken = BytesPerToken,
        Prefill = new PrefillCost(0.001),
        SecondsPerOutputToken = 0,
        WantsBelady = false,
    };

    static SimulatedTier Store(double bytesPerS = double.PositiveInfinity, double latency = 0, long bytes = long.MaxValue) =>
        new(Tier.Remote, bytes, bytesPerS, TimeSpan.FromSeconds(latency), "lru");

    static Trace Chat(string more = "") =>
        TraceGenerator.Generate($"chat:users=40,turns=5,over=300,think=30,system=400,question=100,answer=60{more}", BlockTokens,
            TestContext.Current.CancellationToken);

    /// <summary>
    /// Nobody waits for anything but a store; and the first four prompts are nobody else's, so that machines know how fast they compute.
    /// </summary>
    static Trace OneAfterAnother()
    {
        Trace trace = Chat();
        TraceRequest[] requests = [.. Enumerable.Range(1, 4).Select(kind => Request(0, Blocks(-kind, 20))), .. trace.Requests];
        return trace with { Requests = [.. requests.Select((request, i) => request with { Arrival = TimeSpan.FromSeconds(i * 100) })] };
    }

    static TraceRequest Request(double arrival, params long[] blocks) =>
        new(TimeSpan.FromSeconds(arrival), blocks.Length * BlockTokens, 0, blocks);

    static Trace Of(params TraceRequest[] requests) => new("test", BlockTokens, requests);

    static long[] Blocks(int kind, int count) => [.. Enumerable.Range(0, count).Select(i => 1000L * kind + i)];

    static (SimulationResult Result, List<int[]> Found) Run(Trace trace, SimulationOptions options)
    {
        List<int[]> found = [];
        return (Simulator.Run(trace, options, (_, tiers) => found.Add([.. tiers]), null, TestContext.Current.CancellationToken), found);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(4000)]
    public void Near_and_fast_it_is_a_larger_disk(int blocks)
    {
        Trace trace = Chat();
        (SimulationResult disk, List<int[]> onDisk) = Run(trace,
            Fleet(1, 300, new SimulatedTier(Tier.Disk, blocks * BlockBytes, double.PositiveInfinity, TimeSpan.Zero, "lru")));
        (SimulationResult store, List<int[]> inStore) = Run(trace, Fleet(1, 300, Store(bytes: blocks * BlockBytes)));
        Assert.Equal(onDisk, inStore);
        Assert.Equal(disk.Ttft, store.Ttft);
        Assert.True(store.Tiers[1].HitBlocks > 0);
        Assert.Equal((disk.Tiers[1].BytesWritten, disk.Tiers[1].BytesRead, disk.Tiers[1].Evictions),
            (store.Tiers[1].BytesWritten, store.Tiers[1].BytesRead, store.Tiers[1].Evictions));
        Assert.InRange(store.Store!.PeakBytes, 300 * BlockBytes, blocks * BlockBytes);
    }

    [Fact]
    public void Without_it_machines_are_as_many_caches()
    {
        Trace trace = Chat();
        SimulationResult four = Run(trace, Fleet(4, 500)).Result;
        for (int node = 0; node < 4; node++)
        {
            Trace own = trace with { Requests = [.. trace.Requests.Where((_, i) => i % 4 == node)] };
            SimulationResult alone = Run(own, Fleet(1, 500)).Result;
            Assert.Equal((alone.Requests, alone.InputTokens, alone.HitTokens),
                (four.Nodes[node].Requests, four.Nodes[node].InputTokens, four.Nodes[node].HitTokens.Sum()));
            Assert.Equal(alone.PrefillSeconds, four.Nodes[node].PrefillSeconds, 6);
        }
        Assert.Null(four.Store);
    }

    [Fact]
    public void What_one_machine_computes_another_finds_there()
    {
        Trace trace = Of(Request(0, 1, 2, 3), Request(10, 1, 2, 3, 4), Request(20, 1, 2, 3, 4, 5));
        (SimulationResult result, List<int[]> found) = Run(trace, Fleet(3, 100, Store(1e9, 0.001)));
        Assert.Equal([[-1, -1, -1], [1, 1, 1, -1], [1, 1, 1, 1, -1]], found);
        Assert.Equal([0, 48, 64], result.Nodes.Select(node => node.HitTokens[1]));
        Assert.Equal((7 * BlockBytes, 5 * BlockBytes, 5 * BlockBytes), (result.Store!.BytesRead, result.Store.BytesWritten,
            result.Store.PeakBytes));
        // three questions, and values of half a MiB
        Assert.Equal(3 + (7 + 5) * 2, result.Store.Requests);
        // to ask and to load is two ways, and nobody asked the empty one any sooner
        Assert.Equal(5 * 0.001 + 7 * BlockBytes / 1e9, result.RestoreSeconds, 9);
    }

    [Fact]
    public void It_is_divided_among_those_who_load_at_the_same_time()
    {
        long[] blocks = Blocks(1, 100);
        TraceRequest[] requests = [Request(0, blocks), .. Enumerable.Range(0, 4).Select(_ => Request(500, [.. blocks, 9999]))];
        SimulationOptions each = Fleet(5, 1000, Store(100 * BlockBytes)) with { Prefill = new PrefillCost(0.1) };
        double own = Run(Of(requests), each).Result.RestoreSeconds; // everybody's connection is its own
        Assert.Equal(4 * 1.0, own, 6);
        double shared = Run(Of(requests), each with { Store = new StoreOptions { BytesPerS = 100 * BlockBytes } }).Result.RestoreSeconds;
        Assert.Equal(4 * 4.0, shared, 6);
    }

    [Fact]
    public void Who_writes_takes_from_those_who_read()
    {
        SimulationOptions options = Fleet(2, 1000, Store(100 * BlockBytes)) with
        {
            Store = new StoreOptions { BytesPerS = 100 * BlockBytes },
            Prefill = new PrefillCost(0.1),
        };
        // the second is computed in 160 s on the same machine as the first, and written while the third reads
        TraceRequest[] requests = [Request(0, Blocks(1, 100)), Request(0, Blocks(2, 50)), Request(500, Blocks(3, 50)),
            Request(580, [.. Blocks(1, 100), 7])];
        Assert.Equal(1 + 0.5, Run(Of(requests), options).Result.RestoreSeconds, 1);
        requests[2] = Request(400, Blocks(3, 50));
        Assert.Equal(1, Run(Of(requests), options).Result.RestoreSeconds, 6);
    }

    [Fact]
    public void Blocks_are_there_when_they_have_been_written()
    {
        SimulationOptions options = Fleet(2, 1000, Store(4 * BlockBytes)) with { Prefill = new PrefillCost(1) };
        TraceRequest first = Request(0, Blocks(1, 32)); // computed after 512 s, and written in one go, in 8
        Assert.Equal(-1, Run(Of(first, Request(519, Blocks(1, 32))), options).Found[1][0]);
        Assert.Equal(1, Run(Of(first, Request(521, Blocks(1, 32))), options).Found[1][0]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1e3)]
    [InlineData(1e6)]
    [InlineData(1e7)]
    public void However_slow_it_is_computing_alone_is_not_much_faster(double bytesPerS)
    {
        Trace trace = OneAfterAnother();
        SimulationOptions options = Fleet(4, 300, Store(bytesPerS, 0.005));
        SimulationResult slow = Run(trace, options).Result, none = Run(trace, Fleet(4, 300)).Result;
        double waited = slow.PrefillSeconds + slow.RestoreSeconds - none.PrefillSeconds;
        // at most a tenth of computing, and 100 ms, for each load that was begun before the store was known to be slow
        double most = 0.05 * none.PrefillSeconds + slow.Store!.TooLate * 0.3 + trace.Requests.Count * 0.01;
        Assert.InRange(waited, double.NegativeInfinity, most);
        Assert.True(slow.Ttft.P99 <= 1.1 * none.Ttft.P99 + 0.13, $"{slow.Ttft} and {none.Ttft}");
    }

    [Theory]
    [InlineData(0.005)]
    [InlineData(0.05)]
    [InlineData(0.5)]
    [InlineData(5)]
    public void However_far_it_is_nobody_waits_longer_than_a_twentieth_of_computing(double latency)
    {
        Trace trace = OneAfterAnother();
        SimulationResult far = Run(trace, Fleet(4, 300, Store(1e12, latency))).Result, none = Run(trace, Fleet(4, 300)).Result;
        // who does not know yet how fast it computes waits for as long as the engine ever does, once on each machine
        Assert.InRange(far.PrefillSeconds + far.RestoreSeconds, 0, 1.05 * none.PrefillSeconds + 4 * 2 + trace.Requests.Count * 0.001);
        if (latency < 0.1)
            Assert.True(far.PrefillSeconds + far.RestoreSeconds < 0.9 * none.PrefillSeconds, $"{far.PrefillSeconds} {none.PrefillSeconds}");
    }

    [Fact]
    public void What_it_says_late_is_used_from_there_on()
    {
        // 1,600 tokens a second, a block in 10 ms: 5 % of 1,000 blocks is 0.5 s, and the store says what it has after 1 s
        SimulationOptions options = Fleet(2, 10_000, Store(1e12, 1)) with { Prefill = new PrefillCost(1 / 1600.0) };
        Trace trace = Of(Request(0, Blocks(1, 100)), Request(100, Blocks(2, 1000)), Request(200, Blocks(2, 1000)),
            Request(300, Blocks(1, 10)), Request(400, Blocks(3, 1000)), Request(500, [.. Blocks(2, 1000), 9999]));
        // by turns: the third comes to the first machine, which has computed, and knows how far the store is
        (SimulationResult result, List<int[]> found) = Run(trace, options);
        Assert.All(found[2][..51], tier => Assert.Equal(-1, tier));
        Assert.All(found[2][51..999], tier => Assert.Equal(1, tier)); // 0.5 s of computing before it answers
        Assert.Equal(-1, found[2][999]); // the one with the last token
        Assert.True(result.Store!.TooLate > 0);
    }

    [Fact]
    public void What_left_memory_before_its_turn_is_not_written()
    {
        SimulationOptions options = Fleet(1, 40, Store(BlockBytes / 10.0));
        SimulationResult result = Run(Of(Request(0, Blocks(1, 36)), Request(2, Blocks(2, 36))), options).Result;
        Assert.InRange(result.Store!.DroppedBlocks, 4, 36);
        Assert.Equal(72 * BlockBytes, result.Store.BytesWritten + result.Store.DroppedBlocks * BlockBytes);
    }

    [Fact]
    public void It_costs_its_room_its_requests_and_what_moves()
    {
        StoreResult traffic = new(3L << 30, 1L << 30, 10L << 30, 5000, 0, 0, 0, 0, 0);
        StoreOptions prices = new() { PricePerGiBMonth = 0.3, PricePerThousandRequests = 0.2, PricePerGiBMoved = 0.25 };
        Assert.Equal(100 * 0.3 + 5 * 0.2 + 4 * 0.25, prices.Price(100L << 30, traffic, TimeSpan.FromDays(30)), 9);
        Assert.Equal(10 * 0.3 / 2 + 5 * 0.2 + 4 * 0.25, prices.Price(long.MaxValue, traffic, TimeSpan.FromDays(15)), 9);
    }

    [Fact]
    public void Conversations_stay_where_they_began()
    {
        Trace trace = Chat();
        SimulationResult session = Run(trace, Fleet(4, 4000) with { Placement = Placement.Session }).Result,
            turns = Run(trace, Fleet(4, 4000)).Result, one = Run(trace, Fleet(1, 16_000)).Result;
        Assert.Equal(40, TraceSessions.Of(trace).Count); // as many as users
        Assert.Equal(160, TraceSessions.Of(trace).Continued);
        Assert.True(session.TokenHitRate > turns.TokenHitRate + 0.2, $"{session.TokenHitRate} and {turns.TokenHitRate}");
        Assert.InRange(one.TokenHitRate - session.TokenHitRate, 0, 0.05); // three more machines compute the system prompt
        SimulationResult shared = Run(trace, Fleet(4, 4000, Store(1e12, 1e-4))).Result;
        Assert.InRange(one.TokenHitRate - shared.TokenHitRate, -0.01, 0.05); // by turns, the store makes up for it
        Assert.Equal(0, TraceSessions.Of(TraceGenerator.Generate("scan:requests=20", BlockTokens,
            TestContext.Current.CancellationToken)).Continued);
    }

    [Fact]
    public void Nonsense_is_refused()
    {
        Trace trace = Of(Request(0, 1));
        SimulationOptions fleet = Fleet(1, 1, Store());
        Assert.Throws<ArgumentException>(() => Run(trace, fleet with { Store = new StoreOptions { BytesPerS = 0 } }));
        Assert.Throws<ArgumentException>(() => Run(trace, fleet with { Store = new StoreOptions { PricePerGiBMoved = -1 } }));
        Assert.Throws<ArgumentException>(() => Run(trace, fleet with { Store = new StoreOptions { BytesPerS = double.NaN } }));
        Assert.Throws<ArgumentException>(() => Run(trace, Fleet(1, 1, Store(latency: -1))));
        Assert.Throws<ArgumentException>(() => Run(trace, Fleet(1, 1, Store(0))));
        Assert.Throws<ArgumentException>(() => Run(trace, Fleet(1, 1) with { Store = new StoreOptions { PricePerGiBMonth = 1 } }));
    }
}
