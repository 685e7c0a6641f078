using Kvasir.KvCache.Eviction;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Tests.KvCache.Eviction;

/// <summary>
/// Steps that a tier may make, with what a policy must answer kept in plain lists. Slots are below <see cref="Slots"/>,
/// keys below <see cref="Keys"/>.
/// </summary>
sealed class EvictionModel
{
    public const int Slots = 8, Keys = 20;

    readonly IEvictionPolicy _policy;
    readonly SlotIndex _blocks = new();
    readonly HashSet<int> _held = [];

    public EvictionModel(IEvictionPolicy policy) => (_policy = policy).Attach(_blocks);

    /// <summary>Slots with a block that is not held, by the time of their last use, the oldest first.</summary>
    public List<int> Evictable { get; } = [];

    /// <summary>Makes one step; what is impossible in the present state does nothing.</summary>
    public void Step((int Kind, int Slot, int Key) step)
    {
        (int kind, int slot, int key) = step;
        bool held = _held.Contains(slot), evictable = Evictable.Contains(slot);
        switch (kind)
        {
            case 0 or 1 when !held && !evictable && !_blocks.TryFind(NumberedKey.Of(key), out _): Add(slot, key); break;
            case 2 when held || evictable: _policy.Use(slot); Renew(slot); break;
            case 3 when evictable: _policy.Hold(slot); Evictable.Remove(slot); _held.Add(slot); break;
            case 4 when held: _policy.Release(slot, wasUsed: true); _held.Remove(slot); Evictable.Add(slot); break;
            case 5 when held || evictable: _policy.Remove(slot); _blocks.Remove(slot); _held.Remove(slot); Evictable.Remove(slot); break;
            case 6: Evict(); break;
        }
    }

    /// <summary>Evicts a block, which must be one that may be evicted, or none if there is none.</summary>
    public int Evict()
    {
        int slot = _policy.Evict();
        Assert.Equal(Evictable.Count == 0, slot == -1);
        Assert.True(slot == -1 || Evictable.Remove(slot), $"slot {slot} is held or empty");
        if (slot != -1)
            _blocks.Remove(slot);
        return slot;
    }

    /// <summary>Releases all, and evicts until nothing is left: each block comes out once.</summary>
    public void Drain()
    {
        foreach (int slot in _held.Order())
            _policy.Release(slot, wasUsed: true);
        Evictable.AddRange(_held.Order());
        _held.Clear();
        while (Evictable.Count > 0)
            Evict();
        Assert.Equal(-1, _policy.Evict());
    }

    /// <summary>Blocks make a tree, but for one that follows itself, as in a hostile index.</summary>
    void Add(int slot, int key)
    {
        _blocks.Add(slot, NumberedKey.Of(key), NumberedKey.Of(key / 2));
        _policy.Add(slot, NumberedKey.Of(key));
        Evictable.Add(slot);
    }

    void Renew(int slot)
    {
        if (Evictable.Remove(slot))
            Evictable.Add(slot);
    }
}
