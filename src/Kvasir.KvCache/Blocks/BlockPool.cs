using System.Diagnostics;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Blocks;

/// <summary>
/// The block memory that attention kernels read directly, and who holds which block. Allocation takes a free block, else evicts the cached
/// block that was unused for longest. Not thread-safe: one owner thread allocates, shares and releases.
/// </summary>
public sealed unsafe class BlockPool : IDisposable
{
    readonly BlockArena _arena;
    readonly Slot[] _slots;
    readonly Stack<BlockId> _free;
    readonly Dictionary<BlockKey, BlockId> _registered = [];
    readonly LinkedList<BlockId> _cached = []; // least recently used first

    /// <param name="layout">Shape of a block.</param>
    /// <param name="blocks">Number of blocks; at least 1.</param>
    /// <exception cref="InsufficientMemoryException">The memory is not to be had.</exception>
    public BlockPool(KvLayout layout, int blocks)
    {
        ArgumentNullException.ThrowIfNull(layout);
        Layout = layout;
        _arena = new BlockArena(layout.BlockBytes, blocks);
        _slots = new Slot[blocks];
        _free = new Stack<BlockId>(blocks);
        for (int i = blocks - 1; i >= 0; i--)
        {
            _slots[i].Node = new LinkedListNode<BlockId>(new BlockId(i));
            _free.Push(new BlockId(i));
        }
    }

    /// <summary>Shape of a block.</summary>
    public KvLayout Layout { get; }

    /// <summary>How many blocks are in each stage.</summary>
    public PoolCounts Counts => new(_free.Count, _cached.Count, _registered.Count - _cached.Count, _slots.Length - _free.Count - _registered.Count);

    /// <summary>Blocks that <see cref="TryAllocate"/> can still give: free ones and those that may be evicted.</summary>
    public int Available => _free.Count + _cached.Count;

    /// <summary>A block to write, or null when every block is leased or in flight. Its memory holds whatever was there before.</summary>
    public MutableBlock? TryAllocate()
    {
        if (_free.Count == 0 && !EvictOldest())
            return null;
        BlockId id = _free.Pop();
        _slots[id.Index].State = BlockState.Mutable;
        return new MutableBlock(this, id);
    }

    /// <summary>A lease of the block known under a key, or null when the pool does not hold it.</summary>
    public BlockLease? TryFind(BlockKey key) => _registered.TryGetValue(key, out BlockId id) ? Lease(id) : null;

    /// <summary>
    /// Counts the blocks by going through them all and compares with the books: free + cached + leased + in flight = total. Cheap enough to
    /// run whenever the owner is idle.
    /// </summary>
    /// <exception cref="InvalidOperationException">A block is lost, counted twice or in two places: a bug.</exception>
    public PoolCounts CheckConservation()
    {
        PoolCounts seen = CountSlots();
        if (seen != Counts)
            throw new InvalidOperationException($"pool of {_slots.Length}: counted {seen}, but the books say {Counts}");
        foreach ((BlockKey key, BlockId id) in _registered)
            if (_slots[id.Index].State != BlockState.Registered || _slots[id.Index].Key != key)
                throw new InvalidOperationException($"key {key} leads to block {id.Index}, which is {_slots[id.Index].State} with key {_slots[id.Index].Key}");
        return seen;
    }

    /// <summary>Frees the memory. Handles that are still held must not be used any more.</summary>
    public void Dispose()
    {
        Debug.Assert(CheckConservation() == Counts); // so that every test which uses a pool ends with its books checked
        _arena.Dispose();
    }

    internal byte* Address(BlockId id) => _arena.Address(id);

    internal CompleteBlock Complete(BlockId id)
    {
        Expect(id, BlockState.Mutable).State = BlockState.Complete;
        return new CompleteBlock(this, id);
    }

    internal BlockLease Register(BlockId id, BlockKey key)
    {
        ref Slot slot = ref Expect(id, BlockState.Complete);
        if (_registered.TryGetValue(key, out BlockId existing))
        {
            Free(id, BlockState.Complete);
            return Lease(existing);
        }
        (slot.State, slot.Key, slot.Leases) = (BlockState.Registered, key, 1);
        _registered.Add(key, id);
        return new BlockLease(this, id, key);
    }

    internal BlockLease Lease(BlockId id)
    {
        ref Slot slot = ref Expect(id, BlockState.Registered);
        if (slot.Leases++ == 0)
            _cached.Remove(slot.Node);
        return new BlockLease(this, id, slot.Key);
    }

    internal void Return(BlockId id)
    {
        ref Slot slot = ref Expect(id, BlockState.Registered);
        if (--slot.Leases == 0)
            _cached.AddLast(slot.Node);
    }

    internal void Free(BlockId id, BlockState expected)
    {
        Expect(id, expected).State = BlockState.Free;
        _free.Push(id);
    }

    bool EvictOldest()
    {
        if (_cached.First is not { } oldest)
            return false;
        _cached.RemoveFirst();
        _registered.Remove(_slots[oldest.Value.Index].Key);
        Free(oldest.Value, BlockState.Registered);
        return true;
    }

    ref Slot Expect(BlockId id, BlockState expected)
    {
        ref Slot slot = ref _slots[id.Index];
        if (slot.State != expected)
            throw new InvalidOperationException($"block {id.Index} is {slot.State}, expected {expected}");
        return ref slot;
    }

    PoolCounts CountSlots()
    {
        int mutable = 0, cachedSlots = 0, leased = 0, freeSlots = 0;
        foreach (ref readonly Slot slot in _slots.AsSpan())
            _ = slot.State switch
            {
                BlockState.Free => freeSlots++,
                BlockState.Registered when slot.Leases == 0 => cachedSlots++,
                BlockState.Registered => leased++,
                _ => mutable++,
            };
        return new PoolCounts(freeSlots, cachedSlots, leased, mutable);
    }

    struct Slot
    {
        public BlockState State;
        public int Leases; // of a registered block
        public BlockKey Key; // of a registered block
        public LinkedListNode<BlockId> Node; // in `_cached` when registered and not leased; made once, so that moving it allocates nothing
    }
}
