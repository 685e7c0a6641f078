namespace Kvasir.KvCache.Blocks;

/// <summary>Index of a block in its arena. A type of its own, so that it cannot be mistaken for a position or a count.</summary>
/// <param name="Index">Zero-based.</param>
public readonly record struct BlockId(int Index);
