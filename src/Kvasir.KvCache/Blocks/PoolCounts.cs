namespace Kvasir.KvCache.Blocks;

/// <summary>How many blocks of a pool are in each stage. Every block is in exactly one.</summary>
/// <param name="Free">Hold nothing.</param>
/// <param name="Cached">Registered and not leased: found by key, evicted when memory is wanted.</param>
/// <param name="Leased">Registered with at least one lease.</param>
/// <param name="InFlight">Being written, or written and not yet registered.</param>
public readonly record struct PoolCounts(int Free, int Cached, int Leased, int InFlight)
{
    /// <summary>All blocks of the pool.</summary>
    public int Total => Free + Cached + Leased + InFlight;
}
