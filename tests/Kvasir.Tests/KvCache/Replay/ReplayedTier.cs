using Kvasir.KvCache.Eviction;

namespace Kvasir.Tests.KvCache.Replay;

/// <summary>A tier without bytes: which of a trace's blocks a policy keeps in so many slots.</summary>
sealed class ReplayedTier(IEvictionPolicy policy, int capacity, int blocks)
{
    const int Absent = -1;

    readonly int[] _slotOf = [.. Enumerable.Repeat(Absent, blocks)];
    readonly int[] _blockIn = new int[capacity];
    int _filled;

    /// <summary>Blocks that were written.</summary>
    public long Written { get; private set; }

    /// <summary>Called with each block that is evicted.</summary>
    public Action<int>? Evicted { get; init; }

    public bool Holds(int block) => _slotOf[block] != Absent;

    public void Use(int block) => policy.Use(_slotOf[block]);

    public void Hold(int block) => policy.Hold(_slotOf[block]);

    public void Release(int block) => policy.Release(_slotOf[block], wasUsed: true);

    public void Add(int block)
    {
        int slot = _filled < capacity ? _filled++ : Evict();
        (_slotOf[block], _blockIn[slot]) = (slot, block);
        Written++;
        policy.Add(slot, NumberedKey.Of(block));
    }

    int Evict()
    {
        int slot = policy.Evict();
        _slotOf[_blockIn[slot]] = Absent;
        Evicted?.Invoke(_blockIn[slot]);
        return slot;
    }
}
