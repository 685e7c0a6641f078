using System.Collections.Immutable;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;

namespace Kvasir.KvCache.Lookups;

/// <summary>A block that can be found, and where.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Parent">The key of the block before it, or a root.</param>
/// <param name="Tokens">Its tokens.</param>
public sealed record CachedBlock(BlockKey Key, BlockKey Parent, int[] Tokens) : IPrefixBlock
{
    /// <summary>The tiers that have it, the warmest first.</summary>
    public ImmutableArray<Tier> Tiers { get; init; } = [];

    /// <summary>Whether a sequence holds it in the pool.</summary>
    public bool IsLeased { get; init; }

    /// <summary>Whether somebody keeps it.</summary>
    public bool IsPinned { get; init; }

    /// <summary>When it was used last, as a tier that outlives the process knows it.</summary>
    public DateTimeOffset? Used { get; init; }

    /// <summary>The same, when another tier has it, too.</summary>
    internal CachedBlock And(Tier tier, TierBlock block) => this with
    {
        Tiers = Tiers.Add(tier),
        IsLeased = IsLeased || tier == Tier.Device && block.IsHeld,
        IsPinned = IsPinned || block.IsPinned,
        Used = block.Used ?? Used,
    };
}
