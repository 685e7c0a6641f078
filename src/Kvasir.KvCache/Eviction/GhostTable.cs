using System.Numerics;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Eviction;

/// <summary>
/// Blocks that were given up, each in eight bytes: what kind they were, and when they were used last. One takes the place of another whose
/// key falls on the same entry, so that some are remembered for longer than others, by chance and not by what they are.
/// </summary>
sealed class GhostTable
{
    const int PerBlock = 2;
    const int LeastEntries = 64;

    (uint Tag, uint LastUse)[] _entries = [];
    byte[] _kinds = []; // one more than the kind; 0 for no entry

    /// <summary>Makes room for as many as a cache of so many blocks needs; what was remembered in less room is forgotten.</summary>
    public void Fit(int blocks)
    {
        int entries = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(LeastEntries, PerBlock * blocks));
        if (entries > _entries.Length)
            (_entries, _kinds) = (new (uint, uint)[entries], new byte[entries]);
    }

    /// <summary>Remembers a block.</summary>
    public void Add(BlockKey key, int kind, uint lastUse)
    {
        if (_entries.Length == 0)
            return;
        (uint at, uint tag) = Place(key);
        (_entries[at], _kinds[at]) = ((tag, lastUse), (byte)(kind + 1));
    }

    /// <summary>Forgets a block that has come back.</summary>
    /// <returns>Whether it was remembered.</returns>
    public bool Take(BlockKey key, out int kind, out uint lastUse)
    {
        (kind, lastUse) = (0, 0);
        if (_entries.Length == 0)
            return false;
        (uint at, uint tag) = Place(key);
        if (_kinds[at] == 0 || _entries[at].Tag != tag)
            return false;
        (kind, lastUse) = (_kinds[at] - 1, _entries[at].LastUse);
        _kinds[at] = 0;
        return true;
    }

    /// <summary>Counts those that are remembered as blocks that wait.</summary>
    public void Wait(ReturnRates rates, uint now, double time)
    {
        for (int i = 0; i < _kinds.Length; i++)
            if (_kinds[i] != 0)
                rates.Wait(_kinds[i] - 1, BlockAge.Bucket(now - _entries[i].LastUse), 1, time);
    }

    (uint At, uint Tag) Place(BlockKey key)
    {
        ulong hash = key.Digest.First * 0x9E3779B97F4A7C15; // 2^64 / the golden ratio: keys that are numbers spread, too
        return ((uint)(hash >> 32) & (uint)(_entries.Length - 1), (uint)hash);
    }
}
