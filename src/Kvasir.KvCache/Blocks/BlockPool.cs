using System.Diagnostics;
using Kvasir.KvCache.Eviction;
using Kvasir.KvCache.Layout;

namespace Kvasir.KvCache.Blocks;

/// <summary>
/// Blocks in memory: their books, and the arena that they lie in. The pool that attention kernels read directly is one, and so
/// is the host's memory behind it.
/// </summary>
public sealed unsafe class BlockPool : BlockBooks, IDisposable
{
    /// <param name="layout">Shape of a block.</param>
    /// <param name="arena">The memory, which from now on is the pool's.</param>
    /// <param name="policy">Which cached block goes first; null takes the one whose chain was unused for longest.</param>
    /// <param name="time">The clock; null takes the system's.</param>
    /// <param name="tier">Which tier it is in the process's metrics; null keeps out of them.</param>
    public BlockPool(KvLayout layout, IBlockArena arena, IEvictionPolicy? policy = null, TimeProvider? time = null, Tier? tier = null)
        : base((arena ?? throw new ArgumentNullException(nameof(arena))).Blocks,
            (layout ?? throw new ArgumentNullException(nameof(layout))).BlockTokens, policy, time, tier) =>
        (Layout, Arena) = (layout, arena);

    /// <summary>Shape of a block.</summary>
    public KvLayout Layout { get; }

    /// <summary>The memory, and what copies in it, into it and out of it.</summary>
    public IBlockArena Arena { get; }

    /// <summary>Gives blocks back that somebody holds and could do without; false when there are none.</summary>
    internal Func<bool>? Reclaim { get; set; }

    /// <inheritdoc/>
    public override MutableBlock? TryAllocate()
    {
        MutableBlock? block;
        while ((block = base.TryAllocate()) is null && Reclaim?.Invoke() == true) { }
        return block;
    }

    /// <summary>
    /// First byte of a block, at the start of a page, as those who compute on it reach it; valid while the handle is held.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The handle is spent.</exception>
    public byte* Address(BlockHandle block)
    {
        ArgumentNullException.ThrowIfNull(block);
        block.ThrowIfSpent();
        return Arena.Address(block.Id);
    }

    /// <summary>A block's memory, <see cref="KvLayout.BlockBytes"/> long; valid while the handle is held.</summary>
    /// <exception cref="InvalidOperationException">The processor cannot reach the arena's memory.</exception>
    public Span<byte> Bytes(BlockHandle block) => Arena.IsHostMemory
        ? new Span<byte>(Address(block), (int)Layout.BlockBytes)
        : throw new InvalidOperationException("the arena's memory is not the host's: copy a block out to read it");

    /// <summary>Clears the keys and values of a block from a token on, in all layers.</summary>
    public void ClearTokens(MutableBlock block, int from)
    {
        ArgumentNullException.ThrowIfNull(block);
        block.ThrowIfSpent();
        foreach ((long offset, long bytes) in Layout.RowsFrom(from))
            Arena.Clear(block.Id, offset, bytes);
    }

    /// <summary>Frees the memory. Handles that are still held must not be used any more.</summary>
    public void Dispose()
    {
        Debug.Assert(CheckConservation() == Counts); // so that every test which uses a pool ends with its books checked
        Arena.Dispose();
    }
}
