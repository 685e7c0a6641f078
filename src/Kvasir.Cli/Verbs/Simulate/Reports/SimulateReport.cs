using System.Text.Json.Serialization;
using Kvasir.KvCache.Blocks;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;

namespace Kvasir.Cli.Verbs.Simulate.Reports;

/// <summary>What <c>simulate --json</c> prints and the page shows. Sizes are bytes, times seconds, shares 0 to 1.</summary>
sealed record SimulateReport(TraceSummary Trace, FleetSummary Fleet, Outcome Outcome,
    IReadOnlyList<SweepPoint>? Sweep, string? Model = null, RetentionSummary? Retention = null)
{
    public static SimulateReport From(Trace trace, SimulationOptions options, SimulationResult result,
        IReadOnlyList<SweepPoint>? sweep = null, string? model = null, RetentionSummary? retention = null) =>
        new(TraceSummary.From(trace), FleetSummary.From(options),
            Outcome.From(result, options, trace.Requests[^1].Arrival.TotalSeconds), sweep, model, retention);
}

/// <summary>The trace.</summary>
sealed record TraceSummary(string Name, long Requests, long PromptTokens, double Seconds, int BlockTokens)
{
    public static TraceSummary From(Trace trace) =>
        new(trace.Name, trace.Requests.Count, trace.Requests.Sum(request => (long)request.InputTokens),
            trace.Requests[^1].Arrival.TotalSeconds, trace.BlockTokens);
}

/// <summary>The fleet.</summary>
sealed record FleetSummary(int Nodes, string Placement, IReadOnlyList<TierSummary> Tiers, long BytesPerToken, double PrefillTokensPerS,
    double PricePerHour, IReadOnlyList<FaultSummary> Faults, bool Instant, StoreSummary? Store,
    int Routers, bool PrefixOnly, int PrefillNodes, PeerSummary? Peers)
{
    public static FleetSummary From(SimulationOptions options) =>
        new(options.Nodes, PlacementText.Name(options.Placement), [.. options.Tiers.Select(TierSummary.From)],
        options.BytesPerToken, 1 / options.Prefill.SecondsPerToken, options.PricePerHour, [.. options.Faults.OrderBy(fault => fault.At)
            .Select(fault => new FaultSummary(fault.At.TotalSeconds, FaultText.Describe(fault)))], options.IsInstant,
        options.Tiers.Any(tier => tier.Tier == Tier.Remote) ? StoreSummary.From(options.Store) : null,
        options.Routers, options.StopsAtHoles, options.PrefillNodes, options.PrefillNodes > 0 ? PeerSummary.From(options.Peers) : null);
}

/// <summary>The way from machines that compute prompts to those that answer.</summary>
sealed record PeerSummary(double BytesPerS, double LatencyS)
{
    public static PeerSummary From(PeerOptions peers) => new(peers.BytesPerS, peers.Latency.TotalSeconds);
}

/// <summary>The store behind the remote tier. <paramref name="BytesPerS"/> is null when only machines limit it.</summary>
sealed record StoreSummary(double? BytesPerS, long ValueBytes, double PricePerGibMonth, double PricePerThousandRequests,
    double PricePerGibMoved)
{
    public static StoreSummary From(StoreOptions store) => new(double.IsFinite(store.BytesPerS) ? store.BytesPerS : null,
        store.ValueBytes, store.PricePerGiBMonth, store.PricePerThousandRequests, store.PricePerGiBMoved);

    [JsonIgnore]
    public bool HasPrice => PricePerGibMonth > 0 || PricePerThousandRequests > 0 || PricePerGibMoved > 0;
}

/// <summary>Something that goes wrong.</summary>
sealed record FaultSummary(double AtS, string What);

/// <summary>
/// A tier of each machine. <paramref name="Bytes"/> is null for unlimited room, and <paramref name="BytesPerS"/> for the device,
/// where attention reads in place.
/// </summary>
sealed record TierSummary(string Tier, long? Bytes, double? BytesPerS, double LatencyS, string Policy)
{
    public static TierSummary From(SimulatedTier tier) => new(tier.Tier.Name(), tier.Bytes == long.MaxValue ? null : tier.Bytes,
        double.IsFinite(tier.BytesPerS) ? tier.BytesPerS : null, tier.Latency.TotalSeconds, tier.Policy);

    [JsonIgnore]
    public string Room => TierText.Room(Bytes ?? long.MaxValue);
}

/// <summary>
/// What came of it. <paramref name="Load"/> is the share of the trace's time that machines computed or waited for blocks: above
/// 1, what waits grows without end.
/// </summary>
sealed record Outcome(double TokenHitRate, double BlockHitRate, double InfiniteBlockHitRate, double? BeladyBlockHitRate,
    Quantiles TtftS, Quantiles QueueS,
    double PrefillS, double PrefillWithoutS, double RestoreS, double SavedS, double MoneySaved, double Load,
    IReadOnlyList<TierOutcome> Tiers, IReadOnlyList<NodeOutcome> Nodes, StoreResult? Store, IReadOnlyList<TimelinePoint> Timeline,
    IReadOnlyList<LossPoint> Losses, long Resent, long CutAnswers, ViewsOutcome? Views, StreamingOutcome? Streaming)
{
    public static Outcome From(SimulationResult result, SimulationOptions options, double traceSeconds) =>
        new(result.TokenHitRate, result.BlockHitRate,
        result.References.Infinite, result.References.Belady, result.Ttft, result.Queue, result.PrefillSeconds,
        result.PrefillSecondsWithout, result.RestoreSeconds,
        result.PrefillSecondsWithout - result.PrefillSeconds - result.RestoreSeconds, result.MoneySaved,
        traceSeconds == 0 ? 0 : (result.PrefillSeconds + result.RestoreSeconds) / ((options.Nodes + options.PrefillNodes) * traceSeconds),
        [.. result.Tiers.Select(tier => TierOutcome.From(tier, result.InputTokens))],
        [.. result.Nodes.Select(node => NodeOutcome.From(node, options))], result.Store, [.. result.Timeline.Select(TimelinePoint.From)],
        [.. result.Losses.Select(LossPoint.From)], result.Resent, result.CutAnswers,
        ViewsOutcome.From(result.Retention), StreamingOutcome.From(result.Streaming));

    /// <summary>Share of the machines' work that was saved; below 0 when restoring took longer than computing would have.</summary>
    public double SavedShare => PrefillWithoutS == 0 ? 0 : SavedS / PrefillWithoutS;
}

/// <summary>What became of requests whose prompts a policy thins; of <paramref name="Exact"/> ones some had no room for a view.</summary>
sealed record ViewsOutcome(long Made, long Found, long Exact, long NoRoom, long FoundTokens, double ProfileS, long Reclaimed)
{
    public static ViewsOutcome? From(RetentionResult? result) => result is null ? null : new(
        result.Made, result.Found, result.Exact, result.NoRoom, result.Tokens, result.ProfileSeconds, result.Reclaimed);

    public override string ToString() =>
        $"views: {Made:N0} made, {Found:N0} requests found one ({FoundTokens:N0} tokens), {Exact:N0} were answered exactly ({NoRoom:N0} of "
        + $"them had no room); {Duration.Text(ProfileS)} of looking at prefixes, {Reclaimed:N0} gave way";
}

/// <summary>Requests longer than the device tier, and what a step of the longest reads outside it.</summary>
sealed record StreamingOutcome(long Requests, long NoRoom, long HostBytes, long DiskBytes, double LongestStepS)
{
    public static StreamingOutcome? From(StreamingResult? result) => result is null ? null
        : new(result.Requests, result.NoRoom, result.HostBytes, result.DiskBytes, result.LongestStep);

    public override string ToString() => $"{Requests:N0} requests are longer than the device and streamed: a step of the longest reads "
        + $"{ByteSize.Text(HostBytes)} in host and {ByteSize.Text(DiskBytes)} from disk, {Duration.Text(LongestStepS)}"
        + (NoRoom > 0 ? $"; {NoRoom:N0} more have no room in all tiers together: nothing could answer them" : "");
}

/// <summary>A tier's part in it.</summary>
sealed record TierOutcome(string Tier, long HitTokens, double TokenShare, long HitBlocks, long BytesWritten, long BytesRead,
    double? WrittenPerHit, long Evictions, long Resident, long Unreachable)
{
    public static TierOutcome From(TierResult tier, long inputTokens) =>
        new(tier.Tier.Name(), tier.HitTokens, inputTokens == 0 ? 0 : (double)tier.HitTokens / inputTokens,
        tier.HitBlocks, tier.BytesWritten, tier.BytesRead, tier.WrittenPerHit, tier.Evictions, tier.Resident, tier.Unreachable);
}

/// <summary>A machine's part in it.</summary>
sealed record NodeOutcome(long Requests, long PromptTokens, double TokenHitRate, IReadOnlyDictionary<string, double> TokenShares,
    double PrefillS, double RestoreS, long PeerTokens)
{
    public static NodeOutcome From(NodeResult node, SimulationOptions options) => new(node.Requests, node.InputTokens, node.TokenHitRate,
        options.Tiers.Zip(node.HitTokens).ToDictionary(pair => pair.First.Tier.Name(),
            pair => node.InputTokens == 0 ? 0 : (double)pair.Second / node.InputTokens),
        node.PrefillSeconds, node.RestoreSeconds, node.PeerTokens);
}

/// <summary>A part of the trace's time; hits by tier in their order.</summary>
sealed record TimelinePoint(double FromS, long Requests, long PromptTokens, IReadOnlyList<long> HitTokens, double TtftP50S, long Evictions)
{
    public static TimelinePoint From(TimeSlice slice) =>
        new(slice.From.TotalSeconds, slice.Requests, slice.InputTokens, slice.HitTokens, slice.TtftP50, slice.Evictions);
}

/// <summary>What was found before and after something was lost, in as much time.</summary>
sealed record LossPoint(double AtS, double WindowS, double TokenHitRateBefore, double TokenHitRateAfter)
{
    public static LossPoint From(LossResult loss) => new(loss.At.TotalSeconds, loss.Window.TotalSeconds, loss.Before, loss.After);
}

/// <summary>One fleet of a sweep: what differs, by name, and what came of it.</summary>
sealed record SweepPoint(IReadOnlyDictionary<string, string> Values, IReadOnlyDictionary<string, double> Numbers, double TokenHitRate,
    double BlockHitRate, double InfiniteBlockHitRate,
    double? BeladyBlockHitRate, Quantiles TtftS, double SavedS, double MoneySaved, double Load);
