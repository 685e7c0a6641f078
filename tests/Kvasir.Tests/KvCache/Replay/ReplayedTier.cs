using Kvasir.KvCache.Eviction;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Tests.KvCache.Replay;

/// <summary>A tier without bytes: which of a trace's blocks a policy keeps in so many slots.</summary>
sealed class ReplayedTier
{
    const int Absent = -1;

    readonly IEvictionPolicy _policy;
    readonly Trace _trace;
    readonly SlotIndex _blocks = new();
    readonly int[] _slotOf, _blockIn;
    int _filled;

    public ReplayedTier(IEvictionPolicy policy, int capacity, Trace trace)
    {
        (_policy, _trace, _blockIn) = (policy, trace, new int[capacity]);
        _slotOf = [.. Enumerable.Repeat(Absent, trace.Blocks)];
        policy.Attach(_blocks);
    }

    /// <summary>Blocks that were written.</summary>
    public long Written { get; private set; }

    /// <summary>Called with each block that is evicted.</summary>
    public Action<int>? Evicted { get; init; }

    public bool Holds(int block) => _slotOf[block] != Absent;

    public void Use(int block) => _policy.Use(_slotOf[block]);

    public void Hold(int block) => _policy.Hold(_slotOf[block]);

    public void Release(int block) => _policy.Release(_slotOf[block], wasUsed: true);

    public void Add(int block)
    {
        int slot = _filled < _blockIn.Length ? _filled++ : Evict();
        (_slotOf[block], _blockIn[slot]) = (slot, block);
        Written++;
        _blocks.Add(slot, NumberedKey.Of(block), NumberedKey.Of(_trace.Parent(block)));
        _policy.Add(slot, NumberedKey.Of(block));
    }

    int Evict()
    {
        int slot = _policy.Evict();
        _blocks.Remove(slot);
        _slotOf[_blockIn[slot]] = Absent;
        Evicted?.Invoke(_blockIn[slot]);
        return slot;
    }
}
