using Kvasir.KvCache.Prefixes;

namespace Kvasir.Planning.Simulation;

/// <summary>
/// What a machine has told routers that it has. It looks at a part of it each second, and tells of what has left its own tiers; of too many
/// blocks the oldest are told to be gone.
/// </summary>
sealed class Announced(Machine machine, int most)
{
    /// <summary>Seconds in which it looks at all.</summary>
    const double Round = 8;

    readonly Dictionary<ulong, BlockKey> _blocks = [];
    readonly Queue<ulong> _order = new();
    double _looked;

    /// <summary>Blocks that are there now; returns those that routers have to be told of.</summary>
    public ulong[] Add(ulong[] hashes, BlockKey[] keys)
    {
        List<ulong> added = [];
        for (int block = 0; block < hashes.Length; block++)
            if (_blocks.TryAdd(hashes[block], keys[block]))
                added.Add(hashes[block]);
        added.ForEach(_order.Enqueue);
        return [.. added];
    }

    /// <summary>Those of the blocks whose turn it was that are gone.</summary>
    public ulong[] Look(double now)
    {
        int turn = (int)Math.Min(_order.Count, (now - _looked) / Round * _order.Count);
        if (turn == 0)
            return [];
        _looked = now;
        List<ulong> gone = [];
        for (; turn > 0; turn--)
            if (_order.Dequeue() is var hash && _order.Count < most && machine.HasOfItsOwn(_blocks[hash]))
                _order.Enqueue(hash);
            else
            {
                _blocks.Remove(hash);
                gone.Add(hash);
            }
        return [.. gone];
    }

    public void Clear()
    {
        _blocks.Clear();
        _order.Clear();
    }
}
