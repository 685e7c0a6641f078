namespace Kvasir.KvCache.Views;

/// <summary>What rows read of the pages that they saw, over all layers that attend to everything, and their KV heads.</summary>
public sealed record PageUse
{
    /// <summary>Rows that read so.</summary>
    public required long Rows { get; init; }

    /// <summary>Pages that they read.</summary>
    public required long Read { get; init; }

    /// <summary>Pages that they saw.</summary>
    public required long Seen { get; init; }

    /// <summary>Of the pages that they read, those that were chosen: the others, first and last ones, are always read.</summary>
    public required long Chosen { get; init; }

    /// <summary>Of those, the ones that the row before had chosen, too.</summary>
    public required long Again { get; init; }

    /// <summary>
    /// The share of its attention that what any row skipped, for any query head, had at most; null where the policy counts pages.
    /// </summary>
    public double? Bound { get; init; }

    /// <summary>Bytes of what was known of the pages.</summary>
    public required long BoundsBytes { get; init; }

    /// <summary>Of the pages that they read, those that lay on the disk.</summary>
    public long OnDisk { get; init; }

    /// <summary>Of those, the ones that were brought from there: the others had been brought for the row before.</summary>
    public long Brought { get; init; }

    /// <summary>Bytes of memory that those took at most.</summary>
    public long PageBytes { get; init; }

    /// <summary>Which share of the pages was read; everything, if there were none.</summary>
    public double ReadShare => Seen == 0 ? 1 : (double)Read / Seen;

    /// <summary>Which share of the chosen pages the row before had chosen, too.</summary>
    public double AgainShare => Chosen == 0 ? 0 : (double)Again / Chosen;
}
