using System.Globalization;

namespace Kvasir.KvCache.Retention;

/// <summary>Which positions of a prefix a view keeps, in each layer and head. Whoever names none reads everything.</summary>
public sealed record RetentionPolicy
{
    /// <summary>Of the algorithms: whatever changes what they keep changes it.</summary>
    public const int Version = 1;

    /// <summary>What <see cref="Parse"/> reads.</summary>
    public const string Forms = "none, BUDGET, window:N, window:N+SINKS, SCORER:BUDGET with recent, random, h2o, snapkv, expected or replay, "
        + "SCHEDULE:BUDGET with uniform, layer, global, pyramid or funnel, fastgen:T, fastgen:T+SCHEDULE:BUDGET, quest:BUDGET or quest:eps=E; "
        + "a budget is a share such as 25%, tokens per head such as 512, or a size such as 64MiB";

    /// <summary>What says how much a position is worth.</summary>
    public required RetentionScorer Scorer { get; init; }

    /// <summary>How the budget is divided.</summary>
    public RetentionSchedule Schedule { get; init; }

    /// <summary>How much is kept; null for a window, and for FastGen alone, which keeps what its threshold asks for.</summary>
    public RetentionBudget? Budget { get; init; }

    /// <summary>FastGen's T: the share of its attention that a head has to keep, above 0 and at most 1; 0 for other scorers.</summary>
    public double Threshold { get; init; }

    /// <summary>
    /// The share of its attention that what a row skips may have, above 0 and below 1, for Quest without a budget; null else.
    /// </summary>
    public decimal? Epsilon { get; init; }

    /// <summary>First positions that every head keeps.</summary>
    public int Sinks { get; init; } = 4;

    /// <summary>Last positions that every head keeps.</summary>
    public int Recent { get; init; } = 32;

    /// <summary>Prefixes shorter than that are kept whole.</summary>
    public int Minimum { get; init; } = 512;

    /// <summary>The codec of the view's keys; null for the pool's.</summary>
    public string? KeyType { get; init; }

    /// <summary>The codec of the view's values; null for the pool's.</summary>
    public string? ValueType { get; init; }

    /// <summary>Whether the view's rows are rotated before they are rounded; null for the default of their codecs.</summary>
    public bool? Rotates { get; init; }

    /// <summary>
    /// Whether what is kept depends on the prompt's last rows, which are the question: such a view is right for it alone.
    /// </summary>
    public bool IsAware => Scorer == RetentionScorer.SnapKv;

    /// <summary>Whether everything is kept and rows read some pages of it, instead of a view.</summary>
    public bool ReadsPages => Scorer == RetentionScorer.Quest;

    /// <summary>Reads a policy as users write it (<see cref="Forms"/>), with modifiers after commas; null for <c>none</c>.</summary>
    /// <exception cref="ArgumentException">It is no policy, or one that no prefix could satisfy.</exception>
    public static RetentionPolicy? Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new RetentionParser(text).Parse();
    }

    /// <summary>Reads several with commas between: what has no <c>=</c>, or a colon, begins another.</summary>
    /// <exception cref="ArgumentException">One of them is no policy.</exception>
    public static IReadOnlyList<RetentionPolicy?> ParseSeveral(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<string> texts = [];
        foreach (string part in text.Split(','))
            if (part.Contains('=', StringComparison.Ordinal) && !part.Contains(':', StringComparison.Ordinal) && texts.Count > 0)
                texts[^1] += $",{part}";
            else
                texts.Add(part);
        return [.. texts.Select(Parse)];
    }

    /// <summary>
    /// Everything that changes a result, always written in the same way. Without the version, <see cref="Parse"/> reads it.
    /// </summary>
    public override string ToString()
    {
        string form = Scorer == RetentionScorer.Window ? $"window:{Recent}+{Sinks}" : $"{Scored},sinks={Sinks},recent={Recent}";
        string types = (KeyType is null ? "" : $",type-k={KeyType}") + (ValueType is null ? "" : $",type-v={ValueType}")
            + (Rotates is { } rotates ? $",rotate={(rotates ? "on" : "off")}" : "");
        return $"{form},min={Minimum}{types} v{Version}";
    }

    string Scored => (Scorer, Budget) switch
    {
        (RetentionScorer.Quest, null) => $"quest:eps={Epsilon!.Value.ToString("0.############################", CultureInfo.InvariantCulture)}",
        (RetentionScorer.Quest, _) => $"quest:{Budget}",
        (RetentionScorer.FastGen, null) => $"fastgen:{Share}",
        (RetentionScorer.FastGen, _) => $"fastgen:{Share}+{Name(Schedule)}:{Budget}",
        _ => $"{Name(Scorer)}:{Budget},alloc={Name(Schedule)}",
    };

    string Share => Threshold.ToString(CultureInfo.InvariantCulture);

#pragma warning disable CA1308 // words of the command line, which are lower-case
    static string Name<T>(T word) where T : struct, Enum => word.ToString().ToLowerInvariant();
#pragma warning restore CA1308
}
