using System.Text.Json.Serialization;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Views;

namespace Kvasir.Server.Accounting;

/// <summary>What a retention policy meant for a prompt: the view through which it was seen, or why it was seen whole.</summary>
sealed record ExplainedRetention(string Policy)
{
    /// <summary>Whether the view was there already; absent when there is none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public bool? Found { get; init; }

    /// <summary>Tokens, from the prompt's first, that the view stands for.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Positions { get; init; }

    /// <summary>How many of them each KV head of each layer keeps.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<IReadOnlyList<int>>? Kept { get; init; }

    /// <summary>The same over all heads, as a share.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? KeptShare { get; init; }

    /// <summary>Bytes of the view.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Bytes { get; init; }

    /// <summary>Bytes that those tokens take whole.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? ExactBytes { get; init; }

    /// <summary>Of a policy that keeps everything, what rows read of it; absent with others.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ExplainedPages? Pages { get; init; }

    /// <summary>Which share of their attention rows gave to what is kept, in the mean over KV heads; absent where none looked.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? Mass { get; init; }

    /// <summary>The same in the head that lost most.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? LeastMass { get; init; }

    /// <summary>Bytes that each step reads less.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? StepBytesSaved { get; init; }

    /// <summary>About the seconds that this takes, at the speed that was measured of the memory; absent where none was.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? StepSavedS { get; init; }

    /// <summary>How long it took to find out what to keep; 0 when the view was there.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? ProfileS { get; init; }

    /// <summary>Why there is no view: the answer is exact. Absent when there is one.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? WhyExact { get; init; }

    /// <summary>That of a completion; null when no policy was asked for.</summary>
    public static ExplainedRetention? Of(GenerationResult result) => result.Kv.Retention is not { } use ? null
        : use.View is { } view ? Of(use, view)
        : use.Pages is { Use: var pages } ? new ExplainedRetention(use.Policy) { Pages = ExplainedPages.Of(pages) }
        : new ExplainedRetention(use.Policy) { WhyExact = use.WhyExact ?? "it ended before there was a view" };

    static ExplainedRetention Of(RetentionUse use, RetainedView view) => new(use.Policy)
    {
        Found = use.WasFound,
        Positions = view.Positions,
        Kept = ViewHeads.Counts(view),
        KeptShare = Math.Round(ViewHeads.Share(view), 4),
        Bytes = view.Bytes,
        ExactBytes = view.ExactBytes,
        Mass = ViewHeads.Rounded(view.Mass?.Mean),
        LeastMass = ViewHeads.Rounded(view.Mass?.Least),
        StepBytesSaved = view.UnreadBytes,
        StepSavedS = KnownLimits.Saved(view.UnreadBytes)?.TotalSeconds,
        ProfileS = use.ProfileTime.TotalSeconds,
    };
}

/// <summary>What rows read of the pages of a prompt, over all layers and KV heads.</summary>
/// <param name="Rows">Rows that did not read everything.</param>
/// <param name="Seen">Pages that they saw.</param>
/// <param name="Read">Pages that they read.</param>
/// <param name="ReadShare">The same as a share.</param>
/// <param name="AgainShare">Of the pages that were chosen, those that the row before had chosen, too.</param>
/// <param name="BoundsBytes">Bytes of what was known of pages.</param>
sealed record ExplainedPages(long Rows, long Seen, long Read, double ReadShare, double AgainShare, long BoundsBytes)
{
    /// <summary>The share of its attention that what a row skipped had at most; absent where the policy bounds none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? Bound { get; init; }

    /// <summary>Of the pages that were read, those that lay on the disk; absent where none did.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? OnDisk { get; init; }

    /// <summary>Of those, the ones that were brought from there, and not for the row before.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Brought { get; init; }

    public static ExplainedPages Of(PageUse use) =>
        new(use.Rows, use.Seen, use.Read, Math.Round(use.ReadShare, 4), Math.Round(use.AgainShare, 4), use.BoundsBytes)
        {
            Bound = use.Bound,
            OnDisk = use.OnDisk == 0 ? null : use.OnDisk,
            Brought = use.OnDisk == 0 ? null : use.Brought,
        };
}

/// <summary>What the heads of a view keep.</summary>
static class ViewHeads
{
    /// <summary>Positions that each KV head of each layer keeps.</summary>
    public static IReadOnlyList<IReadOnlyList<int>> Counts(RetainedView view) =>
        [.. view.Shares().Select((heads, layer) => (int[])[.. heads.Select((_, head) => view.Count(layer, head))])];

    /// <summary>A share as it is told.</summary>
    public static double? Rounded(double? share) => share is { } of ? Math.Round(of, 4) : null;

    /// <summary>Their share of the prefix, over all heads.</summary>
    public static double Share(RetainedView view) => view.Shares().SelectMany(heads => heads).Average();
}
