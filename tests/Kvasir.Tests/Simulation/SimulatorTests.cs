using CsCheck;
using Kvasir.KvCache.Blocks;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;

namespace Kvasir.Tests.Simulation;

/// <summary>Fleets that replay traces small enough to know the outcome.</summary>
public sealed class SimulatorTests
{
    const int BlockTokens = 16;
    const long BytesPerToken = 1000, BlockBytes = BlockTokens * BytesPerToken;

    static SimulationOptions Fleet(int deviceBlocks, params SimulatedTier[] colder) => new()
    {
        Tiers = [new SimulatedTier(Tier.Device, deviceBlocks * BlockBytes, double.PositiveInfinity, TimeSpan.Zero, "lru"), .. colder],
        BytesPerToken = BytesPerToken,
        Prefill = new PrefillCost(0.01),
        SecondsPerOutputToken = 0,
    };

    static SimulatedTier Colder(Tier tier, int blocks, double bytesPerS = 1e6) =>
        new(tier, blocks * BlockBytes, bytesPerS, TimeSpan.FromSeconds(0.001), tier == Tier.Host ? "s3-fifo" : "lru");

    static TraceRequest Request(double arrival, params long[] blocks) =>
        new(TimeSpan.FromSeconds(arrival), blocks.Length * BlockTokens, 0, blocks);

    static Trace Of(params TraceRequest[] requests) => new("test", BlockTokens, requests);

    /// <summary>In which tier the blocks of each request were found; -1 for none.</summary>
    static (SimulationResult Result, List<int[]> Found) Run(Trace trace, SimulationOptions options)
    {
        List<int[]> found = [];
        return (Simulator.Run(trace, options, (_, tiers) => found.Add([.. tiers]), null, TestContext.Current.CancellationToken), found);
    }

    [Fact]
    public void Blocks_are_there_when_their_prefill_ends_and_not_earlier()
    {
        SimulationOptions two = Fleet(100, Colder(Tier.Remote, 100)) with { Nodes = 2, Placement = Placement.RoundRobin };
        Trace trace = Of(Request(0, 1, 2, 3), Request(0.1, 1, 2, 3), Request(10, 1, 2, 3)); // 48 tokens take 0.48 s
        Assert.Equal([[-1, -1, -1], [-1, -1, -1], [0, 0, 0]], Run(trace, two).Found);
        Assert.Equal([[-1, -1, -1], [1, 1, 1], [0, 0, 0]], Run(trace, two with { IsInstant = true }).Found);
    }

    [Fact]
    public void Who_waits_for_a_machine_finds_what_the_one_before_left()
    {
        (SimulationResult result, List<int[]> found) = Run(Of(Request(0, 1, 2), Request(0.1, 1, 2, 4)), Fleet(100));
        Assert.Equal([[-1, -1], [0, 0, -1]], found);
        Assert.Equal(0.32 - 0.1 + 0.16, result.Ttft.P99, 6);
        Assert.Equal(0.22, result.Queue.P99, 6);
        Assert.Equal(0.32, result.Ttft.P50, 6);
        Assert.Equal((0.48, 0.8), (Math.Round(result.PrefillSeconds, 6), Math.Round(result.PrefillSecondsWithout, 6)));
    }

    [Fact]
    public void What_the_device_gave_up_comes_from_the_host_and_then_from_the_disk_and_takes_its_time()
    {
        SimulationOptions options = Fleet(3, Colder(Tier.Host, 100), Colder(Tier.Disk, 100, 0.5e6));
        Trace trace = Of(Request(0, 1, 2), Request(100, 5, 6), Request(200, 1, 2, 3));
        (SimulationResult result, List<int[]> found) = Run(trace, options);
        Assert.Equal([[-1, -1], [-1, -1], [0, 1, -1]], found); // of a chain the leaf gave way
        Assert.Equal(0.001 + BlockBytes / 1e6, result.RestoreSeconds, 9);
        Assert.Equal((1L, 1L, 16L, BlockBytes),
            (result.Tiers[1].HitBlocks, result.Tiers[0].HitBlocks, result.Tiers[1].HitTokens, result.Tiers[1].BytesRead));
        Assert.Equal(5 * BlockBytes, result.Tiers[2].BytesWritten);
        found = Run(trace, options with { Tiers = options.Tiers.RemoveAt(1) }).Found;
        Assert.Equal([0, 1, -1], found[2]);
    }

    /// <summary>
    /// A block takes 0.16 s to compute and, at 1 MB/s from the host and a half of that from the disk, 0.016 and 0.032 s to read. Of 10
    /// blocks 3 lie on the device, 4 in the host and 3 on the disk.
    /// </summary>
    [Fact]
    public void A_request_longer_than_the_device_is_streamed_and_its_steps_take_as_long_as_its_bytes()
    {
        SimulationOptions options = Fleet(3, Colder(Tier.Host, 4), Colder(Tier.Disk, 100, 0.5e6)) with { SecondsPerOutputToken = 0.05 };
        TraceRequest request = Request(0, 1, 2, 3, 4, 5, 6, 7, 8, 9) with { OutputTokens = 16 };
        StreamingResult streaming = Run(Of(request), options).Result.Streaming!;
        Assert.Equal((1L, 0L, 4 * BlockBytes, 3 * BlockBytes),
            (streaming.Requests, streaming.NoRoom, streaming.HostBytes, streaming.DiskBytes));
        Assert.Equal(4 * 0.016 + 3 * 0.032, streaming.LongestStep, 9);
        Assert.Null(Run(Of(Request(0, 1, 2)), options).Result.Streaming);
        Assert.Equal(1, Run(Of(request), Fleet(3, Colder(Tier.Host, 4))).Result.Streaming!.NoRoom);
        // what lies on the disk is not computed again, though the device has no room for it
        (SimulationResult again, List<int[]> found) = Run(Of(request, request with { Arrival = TimeSpan.FromSeconds(100) }), options);
        Assert.Equal(2, again.Streaming!.Requests);
        Assert.DoesNotContain(-1, found[1]);
    }

    [Fact]
    public void What_is_dear_to_load_is_computed()
    {
        // 16 s for a block that is computed in 0.16
        SimulationOptions options = Fleet(2 * 1000, Colder(Tier.Host, 100 * 1000)) with { BytesPerToken = 1000 * BytesPerToken };
        List<int[]> found = Run(Of([.. Enumerable.Range(0, 6).Select(i => Request(100 * i, 1 + 2 * (i % 3), 2 + 2 * (i % 3)))]),
            options).Found;
        Assert.Equal([1, 1], found[3]); // never measured: it is given the chance
        Assert.Equal([-1, -1], found[4]);
    }

    [Fact]
    public void A_lost_machine_comes_back_empty_and_the_shared_store_stays()
    {
        Trace trace = Of(Request(0, 1, 2), Request(100, 1, 2));
        SimulationOptions options = Fleet(10) with { Faults = [new Fault(TimeSpan.FromSeconds(50), FaultKind.NodeLoss, 0, 0)] };
        Assert.Equal([-1, -1], Run(trace, options).Found[1]);
        Assert.Equal([1, 1], Run(trace, options with { Tiers = [.. options.Tiers, Colder(Tier.Remote, 10)] }).Found[1]);
    }

    [Fact]
    public void Lost_blocks_leave_holes_and_a_slow_disk_is_slow()
    {
        Trace trace = Of(Request(0, [.. Enumerable.Range(0, 1000).Select(i => (long)i)]),
            Request(1000, [.. Enumerable.Range(0, 1000).Select(i => (long)i)]));
        SimulationOptions options = Fleet(2000) with { Faults = [new Fault(TimeSpan.FromSeconds(500), FaultKind.BlockLoss, null, 0.1)] };
        Assert.InRange(Run(trace, options).Result.HitBlocks, 850, 950);
        SimulationOptions disk = Fleet(1, Colder(Tier.Disk, 2000, 1e9));
        Trace few = Of(Request(0, 1), Request(10, 2), Request(20, 1));
        double fast = Run(few, disk).Result.RestoreSeconds, slow =
            Run(few, disk with { Faults = [new Fault(TimeSpan.FromSeconds(15), FaultKind.SlowDisk, null, 10)] }).Result.RestoreSeconds;
        Assert.Equal(10 * fast, slow, 9);
    }

    [Fact]
    public void Chains_go_where_they_began_and_a_machine_that_has_the_prompt_is_preferred_unless_it_is_busy()
    {
        TraceRequest[] requests = [.. Enumerable.Range(0, 40).Select(i => Request(10 * i, i % 5, 100 + i % 5, 1000 + i))];
        foreach (Placement placement in (Placement[])[Placement.Chain, Placement.CacheAware])
            Assert.Equal(35 * 2, Run(Of(requests), Fleet(1000) with { Nodes = 4, Placement = placement }).Result.HitBlocks);
        Assert.InRange(Run(Of(requests), Fleet(1000) with { Nodes = 4, Placement = Placement.RoundRobin }).Result.HitBlocks, 1, 20 * 2);
        Assert.Equal(35 * 2, Run(Of(requests), Fleet(1000) with { Nodes = 4, Placement = Placement.Block }).Result.HitBlocks);
        TraceRequest[] together = [.. Enumerable.Range(0, 8).Select(i => Request(i == 0 ? 0 : 10, 1, 100 + i))];
        Assert.True(Run(Of(together), Fleet(1000) with { Nodes = 4 }).Result.Ttft.P99
            < Run(Of(together), Fleet(1000) with { Nodes = 4, Placement = Placement.Chain }).Result.Ttft.P99);
    }

    [Fact]
    public void Answers_that_a_trace_knows_are_found_by_the_next_turn()
    {
        TraceRequest first = new(TimeSpan.Zero, 24, 30, [1, 2], [1, 20, 21, 22]),
            second = new(TimeSpan.FromSeconds(100), 60, 0, [1, 20, 21, 30]);
        Assert.Equal([[-1, -1], [0, 0, 0, -1]], Run(Of(first, second), Fleet(100)).Found);
    }

    [Fact]
    public void The_leaf_first_lru_is_that_of_a_naive_one() =>
        Gen.Select(Gen.Int[1, 6], Gen.Int[0, 4]).Array[1, 60].Select(Gen.Int[6, 12]).Sample(sample =>
    {
        ((int chain, int depth)[] shapes, int capacity) = sample;
        TraceRequest[] requests = [.. shapes.Select((shape, i) =>
            Request(1000 * i, [.. Enumerable.Range(0, shape.depth + 1).Select(d => (long)(d == 0 ? 1 : shape.chain * 10 + d))]))];
        List<long> lru = []; // the oldest first
        List<int[]> expected = [.. requests.Select(request => NaiveLru(lru, request.Blocks, capacity))];
        Assert.Equal(expected, Run(Of(requests), Fleet(capacity) with { IsInstant = true }).Found);
    }, iter: 1000);

    /// <summary>
    /// Block after block: held if it is there, else in the place of the oldest; the last, which is computed in any case, takes a place
    /// for as long as the request lasts.
    /// </summary>
    static int[] NaiveLru(List<long> lru, long[] blocks, int capacity)
    {
        List<long> held = [];
        int[] found = new int[blocks.Length];
        int spare = 0;
        for (int i = 0; i < blocks.Length; i++)
        {
            found[i] = lru.Remove(blocks[i]) ? 0 : -1;
            int wanted = (found[i] == 0 ? 0 : 1) + (i == blocks.Length - 1 && found[i] == 0 ? 1 : 0);
            if (found[i] == 0)
                held.Add(blocks[i]);
            if (wanted == 0)
                continue;
            if (lru.Count + held.Count + spare == capacity)
                lru.RemoveAt(0);
            if (found[i] < 0)
                held.Add(blocks[i]);
            else
                spare = 1;
        }
        lru.AddRange(Enumerable.Reverse(held));
        return found;
    }

    [Fact]
    public void Belady_is_no_worse_than_any_policy_and_infinite_no_worse_than_belady() =>
        Gen.Int[0, 30].Array[1, 8].Array[1, 80].Sample(chains =>
    {
        TraceRequest[] requests =
            [.. chains.Select((chain, i) => Request(1000 * i, [.. chain.Select((kind, depth) => (long)(depth * 100 + kind)).Distinct()]))];
        requests = [.. requests.Select((request, i) =>
            i % 2 == 0 ? request : request with { OutputTokens = 100, Left = [.. request.Blocks, 5000 + i % 3, 6000 + i % 3] })];
        foreach (string policy in (string[])["lru", "s3-fifo"])
        {
            SimulationOptions options = Fleet(12);
            SimulationResult result = Run(Of(requests), options with { Tiers = [options.Tiers[0] with { Policy = policy }] }).Result;
            Assert.True(result.BlockHitRate <= result.References.Belady!.Value + 1e-9,
                $"{policy}: {result.BlockHitRate} of {result.References.Belady}");
            Assert.True(result.References.Belady <= result.References.Infinite + 1e-9);
        }
    }, iter: 200);

    [Fact]
    public void Nonsense_is_refused()
    {
        Trace trace = Of(Request(0, 1));
        Assert.Throws<ArgumentException>(() => Run(trace, Fleet(1) with { Tiers = [Colder(Tier.Host, 1)] }));
        Assert.Throws<ArgumentException>(() => Run(trace, Fleet(1, Colder(Tier.Disk, 1), Colder(Tier.Host, 1))));
        Assert.Throws<ArgumentException>(() => Run(trace, Fleet(1) with { Faults = [new Fault(TimeSpan.Zero, FaultKind.NodeLoss, 1, 0)] }));
        Assert.Throws<ArgumentOutOfRangeException>(() => Run(trace, Fleet(1) with { Nodes = 0 }));
    }
}
