using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Tiers;

/// <summary>
/// A right to read a block in the host's memory, where it lies or where it was copied to; while it is held the block stays.
/// </summary>
public sealed unsafe class TierLease : IDisposable
{
    readonly BlockLease _lease;
    readonly NativeBuffer? _copy;

    internal TierLease(BlockPool pool, BlockLease lease)
    {
        _lease = lease;
        if (pool.Arena.IsHostMemory)
            Address = pool.Address(lease);
        else
        {
            _copy = new NativeBuffer((int)pool.Layout.StrideBytes);
            pool.Arena.Read(lease.Id, 0, Address = _copy.Address, pool.Layout.BlockBytes);
        }
    }

    internal TierLease(BlockLease lease, NativeBuffer copy)
    {
        (_lease, _copy) = (lease, copy);
        Address = copy.Address;
    }

    /// <summary>The block's identity.</summary>
    public BlockKey Key => _lease.Key;

    /// <summary>The key of the block before it, or the root.</summary>
    public BlockKey Parent => _lease.Parent;

    /// <summary>The block's tokens.</summary>
    public ReadOnlySpan<int> Tokens => _lease.Tokens;

    /// <summary>First byte of its keys and values.</summary>
    public byte* Address { get; }

    /// <summary>A block of a pool whose content is there; null when it is not, or still on its way.</summary>
    internal static TierLease? TryRead(BlockPool pool, BlockKey key)
    {
        BlockLease? lease = pool.TryRead(key);
        if (lease is null || lease.Load is null && !lease.HasFailed) // in this order: it fails before its load ends
            return lease is null ? null : new TierLease(pool, lease);
        lease.Dispose();
        return null;
    }

    /// <summary>Gives the right back.</summary>
    public void Dispose()
    {
        _lease.Dispose();
        _copy?.Dispose();
    }
}
