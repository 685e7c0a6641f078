namespace Kvasir.KvCache.Blocks;

/// <summary>
/// Stage of a block's life; see <see cref="BlockHandle"/>. A void block has leases, but nobody finds it: its content did
/// not come, or another has its key.
/// </summary>
enum BlockState : byte { Free, Mutable, Complete, Registered, Void }
