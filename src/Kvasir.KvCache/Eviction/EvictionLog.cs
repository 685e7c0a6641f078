using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Eviction;

/// <summary>When blocks were evicted, for those who ask why one is missing. Remembers the last few; not thread-safe.</summary>
/// <param name="capacity">Evictions to remember; at least 1.</param>
public sealed class EvictionLog(int capacity)
{
    readonly Dictionary<BlockKey, DateTimeOffset> _times = [];
    readonly Queue<BlockKey> _order = new();

    /// <summary>Notes an eviction.</summary>
    public void Add(BlockKey key, DateTimeOffset when)
    {
        if (_times.TryAdd(key, when))
            _order.Enqueue(key);
        else
            _times[key] = when;
        if (_order.Count > capacity)
            _times.Remove(_order.Dequeue());
    }

    /// <summary>When a block was evicted, if that is remembered.</summary>
    public bool TryFind(BlockKey key, out DateTimeOffset when) => _times.TryGetValue(key, out when);
}
