using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>What the catalogue says of a block.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Parent">The key of the block before it, or a root.</param>
/// <param name="Tokens">Its tokens.</param>
/// <param name="Used">When it was used last.</param>
/// <param name="IsPinned">Whether somebody keeps it.</param>
public sealed record StoredBlockFacts(BlockKey Key, BlockKey Parent, int[] Tokens, DateTimeOffset Used, bool IsPinned);
