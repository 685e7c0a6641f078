using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Eviction;

/// <summary>Keys of blocks that were given up lately. As many as its user says: the oldest are forgotten first.</summary>
sealed class GhostKeys
{
    readonly Queue<(BlockKey Key, long Turn)> _order = [];
    readonly Dictionary<BlockKey, long> _turns = []; // of the latest entry of a key in `_order`
    long _turn;

    /// <summary>Keys remembered.</summary>
    public int Count => _turns.Count;

    /// <summary>Remembers a key, and at most <paramref name="most"/> altogether.</summary>
    public void Add(BlockKey key, int most)
    {
        _order.Enqueue((key, ++_turn));
        _turns[key] = _turn;
        while (_order.Count > most)
            ForgetOldest();
    }

    /// <summary>Forgets a key that came back.</summary>
    /// <returns>Whether it was remembered.</returns>
    public bool Remove(BlockKey key) => _turns.Remove(key); // its entry in `_order` is void from now on

    void ForgetOldest()
    {
        (BlockKey key, long turn) = _order.Dequeue();
        if (_turns.TryGetValue(key, out long latest) && latest == turn)
            _turns.Remove(key);
    }
}
