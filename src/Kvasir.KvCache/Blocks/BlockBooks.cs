using System.Diagnostics;
using Kvasir.KvCache.Eviction;
using Kvasir.KvCache.Metrics;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Blocks;

/// <summary>
/// The books of a tier in memory: which block lies in which slot, at which stage of its life, and who holds it. They know neither a block's
/// size nor where its memory is: <see cref="BlockPool"/> adds both, and whoever only wants to know what would be where needs neither.
/// Allocation takes a free slot, else evicts a cached block, which the policy chooses. Thread-safe; every call holds a lock for no longer
/// than it takes to change the books.
/// </summary>
public class BlockBooks
{
    const int EvictionsRemembered = 1 << 16;

    /// <summary>
    /// Most blocks that follow the same one which <see cref="LongestTail"/> looks at: a shared beginning may have thousands.
    /// </summary>
    const int MostSiblings = 64;

    readonly Lock _gate = new();
    readonly BlockSlot[] _slots;
    readonly int[] _tokens; // of registered blocks, as many for each slot
    readonly int _blockTokens;
    readonly Stack<BlockId> _free;
    readonly SlotIndex _index = new(); // registered blocks
    readonly IEvictionPolicy _policy;
    readonly EvictionLog _evictionLog = new(EvictionsRemembered);
    readonly TimeProvider _time;
    readonly Tier? _tier;
    int _leased;

    /// <param name="blocks">Number of blocks; at least 1.</param>
    /// <param name="blockTokens">Tokens per block that are kept to be compared; 0 keeps none.</param>
    /// <param name="policy">Which cached block goes first; null takes the one whose chain was unused for longest.</param>
    /// <param name="time">The clock; null takes the system's.</param>
    /// <param name="tier">Which tier it is in the process's metrics; null keeps out of them.</param>
    public BlockBooks(int blocks, int blockTokens = 0, IEvictionPolicy? policy = null, TimeProvider? time = null, Tier? tier = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blocks, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(blockTokens);
        (_blockTokens, _policy, _time, _tier) = (blockTokens, policy ?? new LeafFirstLru(), time ?? TimeProvider.System, tier);
        _policy.Attach(_index);
        _slots = new BlockSlot[blocks];
        _tokens = new int[checked(blocks * blockTokens)];
        if (blockTokens > 0)
            _index.EnsureCapacity(blocks); // books that only count grow with what is in them: there may be many blocks
        _free = new Stack<BlockId>(blocks);
        for (int i = blocks - 1; i >= 0; i--)
            _free.Push(new BlockId(i));
    }

    /// <summary>Blocks evicted so far.</summary>
    public long Evictions { get; private set; }

    /// <summary>How many blocks are in each stage.</summary>
    public PoolCounts Counts
    {
        get
        {
            lock (_gate)
                return CountsNow();
        }
    }

    /// <summary>A block to write, or null when every block is leased or in flight. Its memory holds whatever was there before.</summary>
    public virtual MutableBlock? TryAllocate()
    {
        lock (_gate)
        {
            if (_free.Count == 0 && !Evict())
                return null;
            BlockId id = _free.Pop();
            _slots[id.Index].State = BlockState.Mutable;
            return new MutableBlock(this, id);
        }
    }

    /// <summary>Whether the pool holds a block.</summary>
    public bool Contains(BlockKey key)
    {
        lock (_gate)
            return _index.TryFind(key, out _);
    }

    /// <summary>Whether somebody holds the block known under a key: taking it costs no room.</summary>
    public bool IsLeased(BlockKey key)
    {
        lock (_gate)
            return _index.TryFind(key, out int slot) && _slots[slot].Leases > 0;
    }

    /// <summary>Whether others hold a block beside who asks, who does.</summary>
    internal bool IsShared(BlockId id)
    {
        lock (_gate)
            return _slots[id.Index].Leases > 1;
    }

    /// <summary>A lease of the block known under a key, or null when the pool does not hold it.</summary>
    public BlockLease? TryFind(BlockKey key)
    {
        lock (_gate)
            return _index.TryFind(key, out int slot) ? LeaseNow(slot) : null;
    }

    /// <summary>A lease to read a block on its way to another tier, which does not count as a use.</summary>
    internal BlockLease? TryRead(BlockKey key)
    {
        lock (_gate)
        {
            if (!_index.TryFind(key, out int slot))
                return null;
            BlockLease lease = LeaseNow(slot);
            _slots[slot].Readers++;
            lease.IsUse = false;
            return lease;
        }
    }

    /// <summary>
    /// A lease of the block of a key and tokens. Tokens are compared: were two prefixes to have the same key, the second would be a miss.
    /// </summary>
    public BlockLease? TryFind(BlockKey key, ReadOnlySpan<int> tokens)
    {
        lock (_gate)
            return _index.TryFind(key, out int slot) && Tokens(slot).SequenceEqual(tokens) ? LeaseNow(slot) : null;
    }

    /// <summary>Notes that a block was used, if the pool holds it. Report chains deepest first.</summary>
    public void Use(BlockKey key)
    {
        lock (_gate)
            if (_index.TryFind(key, out int slot))
                _policy.Use(slot);
    }

    /// <summary>Evicts a block now, unless it is leased or not there; says whether it did.</summary>
    public bool TryDrop(BlockKey key)
    {
        lock (_gate)
        {
            if (!_index.TryFind(key, out int slot) || _slots[slot].Leases > 0)
                return false;
            _policy.Remove(slot);
            Vacate(slot);
            return true;
        }
    }

    /// <summary>When a block was evicted, if that is remembered.</summary>
    public bool TryFindEviction(BlockKey key, out DateTimeOffset when)
    {
        lock (_gate)
            return _evictionLog.TryFind(key, out when);
    }

    /// <summary>Among the blocks that follow one, that which has the most tokens in common with what follows.</summary>
    public TailMatch LongestTail(BlockKey parent, ReadOnlySpan<int> following)
    {
        lock (_gate)
        {
            TailMatch best = default;
            int seen = 0;
            foreach (int slot in _index.Children(parent))
            {
                if (seen++ == MostSiblings)
                    break;
                best = best.Longer(_index.Key(slot), Tokens(slot), following);
            }
            return best;
        }
    }

    /// <summary>All blocks that can be found, at most so many: their keys and tokens, and whether somebody holds them.</summary>
    public IReadOnlyList<(BlockKey Key, BlockKey Parent, int[] Tokens, bool IsLeased)> List(int most)
    {
        List<(BlockKey, BlockKey, int[], bool)> blocks = [];
        lock (_gate)
            for (int slot = 0; slot < _slots.Length && blocks.Count < most; slot++)
                if (_slots[slot].State == BlockState.Registered)
                    blocks.Add((_index.Key(slot), _index.Parent(slot), Tokens(slot).ToArray(), _slots[slot].Leases > 0));
        return blocks;
    }

    /// <summary>
    /// Counts the blocks by going through them all and compares with the books: free + cached + leased + in flight = total. Cheap enough to
    /// run whenever the owner is idle.
    /// </summary>
    /// <exception cref="InvalidOperationException">A block is lost, counted twice or in two places: a bug.</exception>
    public PoolCounts CheckConservation()
    {
        lock (_gate)
        {
            PoolCounts seen = CountSlots(), books = CountsNow();
            if (seen != books)
                throw new InvalidOperationException($"pool of {_slots.Length}: counted {seen}, but the books say {books}");
            for (int slot = 0; slot < _slots.Length; slot++)
                if (_slots[slot].State == BlockState.Registered && !(_index.TryFind(_index.Key(slot), out int found) && found == slot))
                    throw new InvalidOperationException(
                        $"block {slot} is registered with key {_index.Key(slot)}, which does not lead to it");
            return seen;
        }
    }

    internal BlockKey Parent(BlockId id)
    {
        lock (_gate)
            return _index.Parent(id.Index);
    }

    /// <summary>A leased block's tokens; they do not change while the lease lives.</summary>
    internal ReadOnlySpan<int> TokensOf(BlockId id) => Tokens(id.Index);

    internal BlockLoad? LoadOf(BlockId id) => Volatile.Read(ref _slots[id.Index].Load);

    internal bool HasFailed(BlockId id) => Volatile.Read(ref _slots[id.Index].HasFailed);

    internal CompleteBlock Complete(BlockId id)
    {
        lock (_gate)
        {
            Expect(id, BlockState.Mutable).State = BlockState.Complete;
            return new CompleteBlock(this, id);
        }
    }

    /// <summary>Registers a block that is written, or one that is about to be: with a load.</summary>
    internal BlockLease Register(BlockId id, BlockState expected, BlockKey key, BlockKey parent,
        ReadOnlySpan<int> tokens, BlockLoad? load = null)
    {
        lock (_gate)
        {
            ref BlockSlot slot = ref Expect(id, expected);
            if (_index.TryFind(key, out int existing))
                return RegisterAgain(id, expected, existing, load);
            tokens.CopyTo(_tokens.AsSpan(id.Index * _blockTokens, _blockTokens));
            slot = new BlockSlot { State = BlockState.Registered, Leases = 1, TokenCount = tokens.Length, Load = load };
            _index.Add(id.Index, key, parent);
            _policy.Add(id.Index, key);
            _policy.Hold(id.Index);
            _leased++;
            return NewLease(id, key);
        }
    }

    internal BlockLease Share(BlockId id, BlockKey key)
    {
        lock (_gate)
        {
            if (_slots[id.Index].State != BlockState.Void)
                return LeaseNow(id.Index);
            _slots[id.Index].Leases++;
            return NewLease(id, key);
        }
    }

    internal void Return(BlockId id, bool wasUsed)
    {
        lock (_gate)
        {
            ref BlockSlot slot = ref _slots[id.Index];
            CountLease(-1);
            slot.Leases--;
            slot.Readers -= wasUsed ? 0 : 1;
            if (slot.State == BlockState.Registered)
                ReleaseNow(id.Index, slot, wasUsed);
            else if (slot.Leases == 0)
                FreeNow(id, BlockState.Void);
        }
    }

    /// <summary>
    /// A lease has gone. The block was in use until the last of those went that are a use, though others may still read it.
    /// </summary>
    void ReleaseNow(int index, in BlockSlot slot, bool wasUsed)
    {
        if (slot.Leases == 0)
            _leased--;
        if (slot.Leases == 0 || wasUsed && slot.Leases == slot.Readers)
            _policy.Release(index, wasUsed);
        if (slot.Leases > 0 && wasUsed && slot.Leases == slot.Readers)
            _policy.Hold(index);
    }

    /// <summary>A leased block's content has arrived.</summary>
    internal void EndLoad(BlockId id) => Volatile.Write(ref _slots[id.Index].Load, null);

    /// <summary>A leased block's content will not arrive: nobody may find it any more.</summary>
    internal void MakeVoid(BlockId id)
    {
        lock (_gate)
        {
            ref BlockSlot slot = ref Expect(id, BlockState.Registered);
            (slot.State, slot.HasFailed) = (BlockState.Void, true);
            _policy.Remove(id.Index);
            _index.Remove(id.Index);
            _leased--;
        }
    }

    internal void Free(BlockId id, BlockState expected)
    {
        lock (_gate)
            FreeNow(id, expected);
    }

    /// <summary>
    /// The pool has a block of this key already, and one is enough; unless that one's content is still to come and this one's is there,
    /// which its owner must be able to use: then nobody else finds it.
    /// </summary>
    BlockLease RegisterAgain(BlockId id, BlockState expected, int existing, BlockLoad? load)
    {
        if (load is null && _slots[existing].Load is not null)
        {
            _slots[id.Index] = new BlockSlot { State = BlockState.Void, Leases = 1 };
            return NewLease(id, _index.Key(existing));
        }
        FreeNow(id, expected);
        return LeaseNow(existing);
    }

    BlockLease LeaseNow(int slot)
    {
        ref BlockSlot entry = ref Expect(new BlockId(slot), BlockState.Registered);
        if (entry.Leases++ == 0)
        {
            _policy.Hold(slot);
            _leased++;
        }
        return NewLease(new BlockId(slot), _index.Key(slot));
    }

    BlockLease NewLease(BlockId id, BlockKey key)
    {
        CountLease(1);
        return new BlockLease(this, id, key);
    }

    void CountLease(int change)
    {
        if (_tier is not null)
            KvCacheMetrics.Leased(change);
    }

    void FreeNow(BlockId id, BlockState expected)
    {
        Expect(id, expected);
        _slots[id.Index] = default;
        _free.Push(id);
    }

    bool Evict()
    {
        int slot = _policy.Evict();
        if (slot < 0)
            return false;
        Vacate(slot);
        return true;
    }

    void Vacate(int slot)
    {
        _evictionLog.Add(_index.Key(slot), _time.GetUtcNow());
        _index.Remove(slot);
        FreeNow(new BlockId(slot), BlockState.Registered);
        Evictions++;
        if (_tier is { } tier)
            KvCacheMetrics.Evicted(tier.Name(), _policy.Name, 1);
    }

    ReadOnlySpan<int> Tokens(int slot) => _tokens.AsSpan(slot * _blockTokens, _slots[slot].TokenCount);

    PoolCounts CountsNow() => new(_free.Count, _index.Count - _leased, _leased, _slots.Length - _free.Count - _index.Count);

    ref BlockSlot Expect(BlockId id, BlockState expected)
    {
        ref BlockSlot slot = ref _slots[id.Index];
        if (slot.State != expected)
            throw new InvalidOperationException($"block {id.Index} is {slot.State}, expected {expected}");
        return ref slot;
    }

    PoolCounts CountSlots()
    {
        int inFlight = 0, cached = 0, leased = 0, free = 0;
        foreach (ref readonly BlockSlot slot in _slots.AsSpan())
            _ = slot.State switch
            {
                BlockState.Free => free++,
                BlockState.Registered when slot.Leases == 0 => cached++,
                BlockState.Registered => leased++,
                _ => inFlight++,
            };
        return new PoolCounts(free, cached, leased, inFlight);
    }
}
