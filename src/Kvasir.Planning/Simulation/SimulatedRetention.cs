using Kvasir.KvCache.Retention;
using Kvasir.Planning.Sizing;

namespace Kvasir.Planning.Simulation;

/// <summary>
/// What a policy keeps of prompts: of each, what stands before its last tokens, which are taken to be the question; or all, if it looks at
/// that.
/// </summary>
/// <param name="Keeps">What is kept; not everything.</param>
/// <param name="Size">The model's keys and values.</param>
public sealed record SimulatedRetention(KvRetention Keeps, KvSize Size)
{
    /// <summary>Tokens of a question unless it is said: traces do not say where the last message of the user begins.</summary>
    public const int UsualQuestion = 128;

    /// <summary>Prefills of a prefix that its replay takes: 1.2 to 1.7 were measured (docs/retention.md, What it costs).</summary>
    const double ReplayPrefills = 1.5;

    /// <summary>Rows that look where the last ones of a prefix do.</summary>
    const int LastRows = 32;

    /// <summary>Tokens at the end of each prompt that are kept whole, the rest of a begun block before them too.</summary>
    public int QuestionTokens { get; init; } = UsualQuestion;

    /// <summary>Seconds between two tokens of an answer behind a view; null for as many as without.</summary>
    public double? SecondsPerOutputToken { get; init; }

    internal RetentionPolicy Policy => Keeps.Policy ?? throw new ArgumentException("retention: everything is kept, expected a policy");

    /// <summary>Seconds in which rows look at a prefix.</summary>
    internal double ProfileSeconds(PrefillCost prefill, long tokens) => Policy.Scorer switch
    {
        RetentionScorer.Replay => ReplayPrefills * prefill.Seconds(0, tokens),
        RetentionScorer.FastGen when Policy.Budget is not null => // and then the prefix is replayed
            prefill.Seconds(Math.Max(0, tokens - LastRows), tokens) + ReplayPrefills * prefill.Seconds(0, tokens),
        RetentionScorer.H2O or RetentionScorer.Expected => prefill.Seconds(0, tokens),
        RetentionScorer.SnapKv or RetentionScorer.FastGen => prefill.Seconds(Math.Max(0, tokens - LastRows), tokens),
        _ => 0,
    };

    /// <summary>Blocks of a trace that the view of a prefix takes in the pool; null where the prefix is kept whole.</summary>
    internal int? Slots(long tokens, int blockTokens) => Keeps.ViewBytes(Size, tokens - tokens % KvSize.BlockTokens) is { } bytes
        ? (int)((bytes / Size.WholeBlockBytes * KvSize.BlockTokens + blockTokens - 1) / blockTokens)
        : null;
}

/// <summary>What came of a policy.</summary>
/// <param name="Made">Requests for which a view was made.</param>
/// <param name="Found">Requests that found one.</param>
/// <param name="Exact">Requests that were answered exactly: their prefix was too short or no larger than its view, or there was no
/// room.</param>
/// <param name="NoRoom">Those of them for whose view there was no room.</param>
/// <param name="Tokens">Tokens for which found views stood. They count as found on the device, too.</param>
/// <param name="ProfileSeconds">Seconds in which prefixes were looked at; a part of those of prefill.</param>
/// <param name="Reclaimed">Views that gave way to others.</param>
public sealed record RetentionResult(long Made, long Found, long Exact, long NoRoom, long Tokens, double ProfileSeconds, long Reclaimed);
