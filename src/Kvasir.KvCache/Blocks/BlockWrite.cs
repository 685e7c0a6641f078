using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Blocks;

/// <summary>A block to be written.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Parent">The key of the block before it, or the root.</param>
/// <param name="Tokens">Its tokens; fewer than a block holds for a tail.</param>
/// <param name="Payload">Address of its keys and values, <see cref="KvLayout.BlockBytes"/> long, which must stay as they are
/// until the write returns.</param>
public readonly record struct BlockWrite(BlockKey Key, BlockKey Parent, int[] Tokens, nint Payload);
