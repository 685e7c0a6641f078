using Kvasir.KvCache.Blocks;

namespace Kvasir.Planning.Simulation;

/// <summary>What came of replaying a trace.</summary>
public sealed record SimulationResult
{
    /// <summary>Requests served.</summary>
    public required long Requests { get; init; }

    /// <summary>Tokens of all prompts.</summary>
    public required long InputTokens { get; init; }

    /// <summary>Blocks of all prompts.</summary>
    public required long Blocks { get; init; }

    /// <summary>What each tier gave, the warmest first.</summary>
    public required IReadOnlyList<TierResult> Tiers { get; init; }

    /// <summary>Time to first token.</summary>
    public required Quantiles Ttft { get; init; }

    /// <summary>The part of it that was waiting for a machine.</summary>
    public required Quantiles Queue { get; init; }

    /// <summary>Seconds of prefill that machines spent.</summary>
    public required double PrefillSeconds { get; init; }

    /// <summary>Seconds that they would have spent without a cache.</summary>
    public required double PrefillSecondsWithout { get; init; }

    /// <summary>Seconds that they waited for colder tiers: for their blocks, and for what the remote one says.</summary>
    public required double RestoreSeconds { get; init; }

    /// <summary>What each machine had of it, those that answer first.</summary>
    public required IReadOnlyList<NodeResult> Nodes { get; init; }

    /// <summary>What went to and from the remote store; null when there is none.</summary>
    public StoreResult? Store { get; init; }

    /// <summary>What came of a retention policy; null when there is none.</summary>
    public RetentionResult? Retention { get; init; }

    /// <summary>What came of requests longer than the device tier; null when there were none.</summary>
    public StreamingResult? Streaming { get; init; }

    /// <summary>Price of what was saved, without that of a store; 0 when machines have no price.</summary>
    public required double MoneySaved { get; init; }

    /// <summary>What other ways to decide would have given: no cache, an infinite one, and Belady's with the same room.</summary>
    public required References References { get; init; }

    /// <summary>What was found before and after machines or blocks were lost.</summary>
    public IReadOnlyList<LossResult> Losses { get; init; } = [];

    /// <summary>How often a request was sent again because its machine was lost before the first token.</summary>
    public long Resent { get; init; }

    /// <summary>Answers that ended early because their machine was lost.</summary>
    public long CutAnswers { get; init; }

    /// <summary>The trace's time in equal parts.</summary>
    public required IReadOnlyList<TimeSlice> Timeline { get; init; }

    /// <summary>Tokens that did not need to be computed.</summary>
    public long HitTokens => Tiers.Sum(tier => tier.HitTokens);

    /// <summary>Blocks that did not need to be computed.</summary>
    public long HitBlocks => Tiers.Sum(tier => tier.HitBlocks);

    /// <summary>Share of blocks that did not need to be computed, 0 to 1.</summary>
    public double BlockHitRate => Blocks == 0 ? 0 : (double)HitBlocks / Blocks;

    /// <summary>Share of tokens that did not need to be computed, 0 to 1.</summary>
    public double TokenHitRate => InputTokens == 0 ? 0 : (double)HitTokens / InputTokens;
}

/// <summary>One tier's part, over all machines.</summary>
/// <param name="Tier">Which.</param>
/// <param name="HitTokens">Tokens that came from it.</param>
/// <param name="HitBlocks">Blocks that came from it.</param>
/// <param name="BytesWritten">Bytes written to it.</param>
/// <param name="BytesRead">Bytes that came from it.</param>
/// <param name="Evictions">Blocks that it gave up.</param>
/// <param name="Resident">Blocks in it at the end.</param>
/// <param name="Unreachable">Those of them of which a block before them is in no tier of the machine: of use only to a
/// cache that fills holes.</param>
public sealed record TierResult(Tier Tier, long HitTokens, long HitBlocks, long BytesWritten, long BytesRead,
    long Evictions, long Resident, long Unreachable)
{
    /// <summary>Bytes written to it for each byte that came from it; null when none came.</summary>
    public double? WrittenPerHit => BytesRead == 0 ? null : (double)BytesWritten / BytesRead;
}

/// <summary>One machine's part.</summary>
/// <param name="Requests">Requests that it served.</param>
/// <param name="InputTokens">Tokens of their prompts.</param>
/// <param name="HitTokens">Tokens that did not need to be computed, by tier in the order of <see cref="SimulationResult.Tiers"/>.</param>
/// <param name="PrefillSeconds">Seconds of prefill.</param>
/// <param name="RestoreSeconds">Seconds that it waited for colder tiers.</param>
/// <param name="PeerTokens">Tokens that machines brought which compute prompts for others.</param>
public sealed record NodeResult(long Requests, long InputTokens, IReadOnlyList<long> HitTokens, double PrefillSeconds,
    double RestoreSeconds, long PeerTokens = 0)
{
    /// <summary>Share of tokens that did not need to be computed, 0 to 1.</summary>
    public double TokenHitRate => InputTokens == 0 ? 0 : (double)HitTokens.Sum() / InputTokens;
}

/// <summary>What went to and from the store that all machines share.</summary>
/// <param name="BytesRead">Bytes that it gave, also those that came too late.</param>
/// <param name="BytesWritten">Bytes that it took.</param>
/// <param name="PeakBytes">The most that lay there.</param>
/// <param name="Requests">Questions about prompts, and values read and written.</param>
/// <param name="RequestsPerS">Of them a second, over the whole trace.</param>
/// <param name="MostRequestsPerS">Of them in the second that had the most.</param>
/// <param name="TooLate">How often computing began because it had not answered, or not brought blocks, in time.</param>
/// <param name="DroppedBlocks">Blocks that had left memory before they were written, or found the queue full.</param>
/// <param name="Price">What it costs for the time of the trace.</param>
public sealed record StoreResult(long BytesRead, long BytesWritten, long PeakBytes, long Requests, double RequestsPerS,
    long MostRequestsPerS, long TooLate, long DroppedBlocks, double Price);

/// <summary>What was found around a loss.</summary>
/// <param name="At">When something was lost.</param>
/// <param name="Window">The time before and the time after it that are compared.</param>
/// <param name="Before">Share of tokens found of the requests that came in the time before, 0 to 1.</param>
/// <param name="After">And in the time after.</param>
public sealed record LossResult(TimeSpan At, TimeSpan Window, double Before, double After);

/// <summary>Half, nine tenths and ninety-nine hundredths of requests took at most so many seconds.</summary>
public sealed record Quantiles(double P50, double P90, double P99);

/// <summary>Shares of blocks found, 0 to 1, by other ways to decide.</summary>
/// <param name="Infinite">By a cache that keeps everything.</param>
/// <param name="Belady">By one of the same room that knows the future (Belady, IBM Systems Journal 1966); null
/// when it was not computed.</param>
public sealed record References(double Infinite, double? Belady);

/// <summary>A part of the trace's time.</summary>
/// <param name="From">When it begins.</param>
/// <param name="Requests">Requests that arrived.</param>
/// <param name="InputTokens">Tokens of their prompts.</param>
/// <param name="HitTokens">Tokens found, by tier in the order of <see cref="SimulationResult.Tiers"/>.</param>
/// <param name="TtftP50">Median time to first token in seconds.</param>
/// <param name="Evictions">Blocks given up.</param>
public sealed record TimeSlice(TimeSpan From, long Requests, long InputTokens,
    IReadOnlyList<long> HitTokens, double TtftP50, long Evictions);
