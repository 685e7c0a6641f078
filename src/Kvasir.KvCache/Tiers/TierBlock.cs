using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Tiers;

/// <summary>What a tier knows of a block.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Parent">The key of the block before it, or a root.</param>
/// <param name="Tokens">Its tokens.</param>
/// <param name="Place">Where it is, in a way that the tier alone understands.</param>
/// <param name="Used">When it was used last, if that is known.</param>
/// <param name="IsPinned">Whether somebody keeps it.</param>
public sealed record TierBlock(BlockKey Key, BlockKey Parent, int[] Tokens, long Place = 0,
    DateTimeOffset? Used = null, bool IsPinned = false)
{
    /// <summary>Whether somebody reads or writes it.</summary>
    public bool IsHeld { get; init; }
}

/// <summary>Blocks that begin like a prompt, and are somebody else's.</summary>
/// <param name="Model">The other model's name; null when it is the same model, under another salt.</param>
public sealed record ForeignBlock(string? Model);
