using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Eviction;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.KvCache.Replay;
using Trace = Kvasir.Planning.Traces.Trace;

namespace Kvasir.Tests.Simulation;

/// <summary>
/// An hour of conversations (Qin et al., "Mooncake", FAST 2025) beside figures and counts that other programs made of it.
/// </summary>
public sealed class MooncakeSimulationTests
{
    const long BytesPerToken = 1000;

    static SimulationOptions OneTier(Trace trace, int blocks, string policy = "lru") => new()
    {
        Tiers = [
            new SimulatedTier(Tier.Device, blocks * trace.BlockTokens * BytesPerToken, double.PositiveInfinity, TimeSpan.Zero, policy)],
        BytesPerToken = BytesPerToken,
        Prefill = new PrefillCost(1 / 100_000.0),
        IsInstant = true,
    };

    static Trace Read() =>
        TraceReader.Read(Checkout.Shared("traces/mooncake_conversation.jsonl"), cancellation: TestContext.Current.CancellationToken).Trace;

    static SimulationResult Run(Trace trace, SimulationOptions options) =>
        Simulator.Run(trace, options, progress: null, TestContext.Current.CancellationToken);

    /// <summary>36.6 % and about 21 % are an independent simulation's, in which blocks are there as soon as their request comes.</summary>
    [Fact]
    public void The_published_rates_are_found()
    {
        Trace trace = Read();
        SimulationResult result = Run(trace, OneTier(trace, 10_000));
        Assert.Equal(0.366, result.References.Infinite, 3);
        Assert.Equal(0.21, result.BlockHitRate, 2);
        Assert.Equal(result.References.Infinite, Run(trace, OneTier(trace, 1_000_000)).BlockHitRate, 12);
    }

    [Theory]
    [InlineData("lru", 10_000)]
    [InlineData("lru", 50_000)]
    [InlineData("s3-fifo", 10_000)]
    [InlineData("hit-density", 10_000)]
    public void A_replay_of_nothing_but_the_policy_finds_nearly_as_many(string policy, int blocks)
    {
        Trace trace = Read();
        HitCounts other = CacheReplay.Run(KvCache.Replay.Trace.Conversation(), TierBooks.Policy(policy), blocks);
        Assert.Equal(other.HitPercent / 100, Run(trace, OneTier(trace, blocks, policy)).BlockHitRate, 2);
    }

    /// <summary>One that drops the deepest of equals, and one that drops any of them, are both the best.</summary>
    [Fact]
    public void Belady_is_that_of_another_program()
    {
        Trace trace = Read();
        HitCounts other = CacheReplay.Belady(KvCache.Replay.Trace.Conversation(), 1000);
        Assert.Equal(other.HitPercent / 100, Run(trace, OneTier(trace, 1000)).References.Belady!.Value, 2);
    }

    /// <summary>
    /// A block that is there only when its prefill has ended is missed by those who come meanwhile, unless they wait
    /// for the same machine, as on one.
    /// </summary>
    [Fact]
    public void Blocks_that_come_when_they_are_computed_are_found_less_by_machines_that_do_not_wait()
    {
        Trace trace = Read();
        trace = trace with { Requests = [.. trace.Requests.Take(3000)] };
        SimulationOptions instant = OneTier(trace, 1_000_000) with { Nodes = 8, Placement = Placement.RoundRobin, WantsBelady = false };
        SimulationOptions shared = instant with
        {
            Tiers = [.. instant.Tiers, new SimulatedTier(Tier.Remote, long.MaxValue, 1e12, TimeSpan.Zero, "lru")],
            Nodes = 64,
            Prefill = new PrefillCost(1 / 5000.0),
        };
        SimulationResult late = Run(trace, shared with { IsInstant = false, SecondsPerOutputToken = 0.03 });
        SimulationResult atOnce = Run(trace, shared);
        Assert.Equal(atOnce.References.Infinite, atOnce.BlockHitRate, 3);
        Assert.InRange(late.BlockHitRate, 0.8 * atOnce.BlockHitRate, atOnce.BlockHitRate - 0.001);
    }
}
