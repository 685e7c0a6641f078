namespace Kvasir.KvCache.Tiers;

/// <summary>What a tier holds and may hold.</summary>
/// <param name="CapacityBytes">Bytes that it may take.</param>
/// <param name="UsedBytes">Bytes that it takes.</param>
/// <param name="CapacityBlocks">Blocks of this cache that would fit into it.</param>
/// <param name="Blocks">Blocks in it; on a disk those of all models with blocks of the same size.</param>
/// <param name="HeldBlocks">Of those, blocks that somebody reads or writes.</param>
/// <param name="PinnedBlocks">Of those, blocks that somebody keeps.</param>
/// <param name="Evictions">Blocks that had to give way since the start.</param>
/// <param name="Directory">Where it lies; null for memory.</param>
public sealed record TierContent(
    long CapacityBytes, long UsedBytes, long CapacityBlocks, long Blocks, long HeldBlocks, long PinnedBlocks,
    long Evictions, string? Directory = null);
