namespace Kvasir.KvCache.Blocks;

/// <summary>Stage of a block's life; see <see cref="BlockHandle"/>.</summary>
enum BlockState : byte { Free, Mutable, Complete, Registered }
