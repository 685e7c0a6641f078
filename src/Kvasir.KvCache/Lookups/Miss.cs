using Kvasir.KvCache.Blocks;

namespace Kvasir.KvCache.Lookups;

/// <summary>Why keys and values were not found, or not used.</summary>
public enum MissReason
{
    /// <summary>These tokens never came after this prefix.</summary>
    NeverSeen,

    /// <summary>They were there, and gave way to others.</summary>
    Evicted,

    /// <summary>The prefix is known to go on, but differently.</summary>
    Diverged,

    /// <summary>Another model, or the same with other numerics, has them.</summary>
    OtherModel,

    /// <summary>They are there under another salt: somebody else's.</summary>
    OtherSalt,

    /// <summary>They were found, and what came was damaged or did not come at all.</summary>
    LoadFailed,

    /// <summary>They were found, and computing them took no longer than waiting any further.</summary>
    TooLate,

    /// <summary>A rest that fills no block, and of which no tail was kept.</summary>
    BelowBlockSize,

    /// <summary>They were found, and loading them would have taken longer than computing them.</summary>
    ComputeCheaper,

    /// <summary>
    /// They are there but for the layers with windows, which keep only what somebody may go on from: not what the next tokens see.
    /// </summary>
    WindowGone,
}

/// <summary>Tokens that were not reused, and why.</summary>
/// <param name="From">Position of the first.</param>
/// <param name="To">Position after the last.</param>
/// <param name="Reason">Why.</param>
/// <param name="Tier">The tier that evicted them or failed, if one did.</param>
/// <param name="When">When they were evicted.</param>
/// <param name="Expected">On divergence, the token that the cache has at <paramref name="From"/>; else -1.</param>
/// <param name="Got">On divergence, the token at <paramref name="From"/>; else -1.</param>
/// <param name="Detail">What failed, or which model it is.</param>
public readonly record struct Miss(
    int From, int To, MissReason Reason, Tier? Tier = null, DateTimeOffset? When = null, int Expected = -1,
    int Got = -1, string? Detail = null)
{
    /// <summary>Whether a following miss is of the same kind, so that the two can be told as one.</summary>
    internal bool ContinuesWith(Miss next) =>
        To == next.From && Reason == next.Reason && Tier == next.Tier && Detail == next.Detail && Reason != MissReason.Diverged;
}
