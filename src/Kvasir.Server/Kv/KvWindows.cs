using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers;

namespace Kvasir.Server.Kv;

/// <summary>
/// Blocks of the layers with windows, where these have their own: the tokens of the longest window, the bytes of a block, and what each
/// tier has of them.
/// </summary>
sealed record KvWindows(int Tokens, long BlockBytes, IReadOnlyList<KvWindowTier> Tiers)
{
    public static KvWindows? Of(TieredKvCache cache) => cache.Windows is not { } windows ? null
        : new(windows.Layout.LongestWindow, windows.Layout.BlockBytes,
            [KvWindowTier.Of(windows, Tier.Device, windows.Device.Content()),
                .. windows.Tiers.Select(tier => KvWindowTier.Of(windows, tier.Tier, tier.Content()))]);
}

/// <summary>
/// What a tier has of blocks of layers with windows; the bytes are a part of the tier's. On a disk, those of all models with blocks of the
/// same size.
/// </summary>
sealed record KvWindowTier(string Tier, long UsedBytes, long CapacityBlocks, long Blocks, long LeasedBlocks, long Evictions, long InBytes,
    long OutBytes)
{
    public static KvWindowTier Of(TieredKvCache windows, Tier tier, TierContent content) => new(tier.Name(),
        content.Directory is null ? content.UsedBytes : content.Blocks * windows.Layout.StrideBytes, content.CapacityBlocks,
        content.Blocks, content.HeldBlocks, content.Evictions, windows.Traffic.Into(tier).Bytes, windows.Traffic.OutOf(tier).Bytes);
}
