using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Eviction;

/// <summary>
/// S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi: "FIFO queues are all you need for cache eviction", SOSP 2023). New blocks wait in a small queue
/// and leave it for the main one if they were used meanwhile; most were not, and go without ever displacing what is used. A block that
/// comes back soon after it went is taken into the main queue at once. There the oldest goes, unless it was used: then it goes round again.
/// Only <see cref="Use"/> counts as use, not <see cref="Hold"/>: a block is also held while it is written or copied.
/// </summary>
/// <remarks>
/// Share and number of ghosts were measured (decision 7). The paper has a small queue of a tenth and fewer ghosts than blocks; but
/// conversations come back late, often when a small cache has already turned over once.
/// </remarks>
public sealed class S3Fifo : IEvictionPolicy
{
    const byte MostUses = 3; // two bits
    const int GhostsPerBlock = 2;

    readonly double _smallShare;
    readonly SlotQueue _small = new();
    readonly SlotQueue _main = new();
    readonly GhostKeys _ghosts = new();
    Entry[] _entries = [];

    /// <param name="smallShare">Part of the blocks that the small queue holds, between 0 and 1.</param>
    public S3Fifo(double smallShare = 0.3)
    {
        if (smallShare is not (> 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(smallShare), smallShare, "between 0 and 1, both excluded");
        _smallShare = smallShare;
    }

    /// <inheritdoc/>
    public string Name => "s3-fifo";

    /// <inheritdoc/>
    public void Add(int slot, BlockKey key)
    {
        if (slot >= _entries.Length)
            Array.Resize(ref _entries, Math.Max(slot + 1, 2 * _entries.Length));
        _entries[slot] = new Entry { Key = key, InMain = _ghosts.Remove(key) };
        Queue(slot).Add(slot);
    }

    /// <inheritdoc/>
    public void Use(int slot) => _entries[slot].Uses = byte.Min(MostUses, (byte)(_entries[slot].Uses + 1));

    /// <inheritdoc/>
    public void Hold(int slot) => _entries[slot].Held = true; // keeps its place until its turn comes

    /// <inheritdoc/>
    public void Release(int slot, bool wasUsed)
    {
        _entries[slot].Held = false;
        if (!Queue(slot).Contains(slot))
            Queue(slot).Add(slot);
    }

    /// <inheritdoc/>
    public void Remove(int slot)
    {
        if (Queue(slot).Contains(slot))
            Queue(slot).Remove(slot);
    }

    /// <inheritdoc/>
    public int Evict()
    {
        while (_small.Count + _main.Count > 0)
        {
            bool fromSmall = _main.Count == 0 || _small.Count > _smallShare * (_small.Count + _main.Count);
            int slot = fromSmall ? _small.Oldest : _main.Oldest;
            Queue(slot).Remove(slot);
            if (!_entries[slot].Held && !Keep(slot)) // a held block stays out of the queues, so that no later eviction meets it again
                return slot;
        }
        return SlotQueue.None;
    }

    /// <summary>Puts the oldest block of a queue back if it was used; else remembers, of the small queue, that it was here.</summary>
    bool Keep(int slot)
    {
        ref Entry entry = ref _entries[slot];
        if (entry.Uses == 0)
        {
            if (!entry.InMain)
                _ghosts.Add(entry.Key, GhostsPerBlock * (_small.Count + _main.Count + 1));
            return false;
        }
        entry.Uses = entry.InMain ? (byte)(entry.Uses - 1) : (byte)0;
        entry.InMain = true;
        _main.Add(slot);
        return true;
    }

    SlotQueue Queue(int slot) => _entries[slot].InMain ? _main : _small;

    struct Entry
    {
        public BlockKey Key;
        public byte Uses;
        public bool InMain; // or, of a held block that is in neither queue, whence it came
        public bool Held;
    }
}
