using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Lifecycle;

/// <summary>
/// Gives up what was unused for longest. Chains are reported from the deepest block to the first, so of a chain the leaf goes first, and the rest stays
/// a prefix that can be found.
/// </summary>
public sealed class LeafFirstLru : IEvictionPolicy
{
    readonly SlotQueue _queue = new(); // of blocks that are not held

    /// <inheritdoc/>
    public string Name => "lru";

    /// <inheritdoc/>
    public void Add(int slot, BlockKey key) => _queue.Add(slot);

    /// <inheritdoc/>
    public void Use(int slot)
    {
        if (_queue.Contains(slot)) // a held block gets its place when it is released
            _queue.Renew(slot);
    }

    /// <inheritdoc/>
    public void Hold(int slot) => _queue.Remove(slot);

    /// <inheritdoc/>
    public void Release(int slot) => _queue.Add(slot);

    /// <inheritdoc/>
    public void Remove(int slot)
    {
        if (_queue.Contains(slot))
            _queue.Remove(slot);
    }

    /// <inheritdoc/>
    public int Evict()
    {
        int oldest = _queue.Oldest;
        if (oldest != SlotQueue.None)
            _queue.Remove(oldest);
        return oldest;
    }
}
