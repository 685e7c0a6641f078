using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Eviction;

/// <summary>
/// Gives up what was unused for longest. Chains are reported from the deepest block to the first, so of a chain the leaf goes first, and
/// the rest stays a prefix that can be found.
/// </summary>
public sealed class LeafFirstLru : IEvictionPolicy
{
    readonly SlotQueue _queue = new(); // held blocks keep their place until their turn comes; then they are in the books only
    readonly HashSet<int> _held = [];

    /// <inheritdoc/>
    public string Name => "lru";

    /// <inheritdoc/>
    public void Add(int slot, BlockKey key) => _queue.Add(slot);

    /// <inheritdoc/>
    public void Use(int slot)
    {
        if (_queue.Contains(slot))
            _queue.Renew(slot);
    }

    /// <inheritdoc/>
    public void Hold(int slot)
    {
        if (!_queue.Contains(slot))
            throw new ArgumentException($"slot {slot} is not there");
        _held.Add(slot);
    }

    /// <inheritdoc/>
    public void Release(int slot, bool wasUsed)
    {
        _held.Remove(slot);
        if (!_queue.Contains(slot))
            _queue.Add(slot);
        else if (wasUsed)
            _queue.Renew(slot);
    }

    /// <inheritdoc/>
    public void Remove(int slot)
    {
        _held.Remove(slot);
        if (_queue.Contains(slot))
            _queue.Remove(slot);
    }

    /// <inheritdoc/>
    public int Evict()
    {
        while (_queue.Oldest is var oldest && oldest != SlotQueue.None)
        {
            _queue.Remove(oldest);
            if (!_held.Contains(oldest))
                return oldest;
        }
        return SlotQueue.None;
    }
}
