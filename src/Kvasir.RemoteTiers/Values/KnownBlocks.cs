using Kvasir.KvCache.Prefixes;

namespace Kvasir.RemoteTiers.Values;

/// <summary>
/// Blocks that were found in the store or written there by this process: loading, writing and using them needs no question then. It may be
/// wrong, as any hint may. Bounded: of two generations the older one is forgotten. Thread-safe.
/// </summary>
sealed class KnownBlocks
{
    const int MostOfGeneration = 1 << 16;

    readonly Lock _gate = new();
    Dictionary<BlockKey, KnownBlock> _young = [], _old = [];

    /// <summary>Blocks that are known.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _young.Count + _old.Count;
        }
    }

    /// <summary>Where a block is.</summary>
    public KnownBlock? Find(BlockKey key)
    {
        lock (_gate)
            return _young.TryGetValue(key, out KnownBlock? block) || _old.TryGetValue(key, out block) ? block : null;
    }

    /// <summary>A block is there. What is known of its use stays known.</summary>
    public void Add(BlockKey key, StoredBlock block)
    {
        lock (_gate)
        {
            DateTimeOffset renewed = block.Written;
            if ((_young.TryGetValue(key, out KnownBlock? known) || _old.Remove(key, out known)) && known.Renewed > renewed)
                renewed = known.Renewed;
            if (_young.Count >= MostOfGeneration)
                (_old, _young) = (_young, []);
            _young[key] = new KnownBlock(block.Run, block.Index) { Renewed = renewed };
        }
    }

    /// <summary>A block is not there any more.</summary>
    public void Remove(BlockKey key)
    {
        lock (_gate)
        {
            _young.Remove(key);
            _old.Remove(key);
        }
    }
}

/// <summary>Where a block is.</summary>
/// <param name="Run">The run.</param>
/// <param name="Index">Which of its blocks.</param>
sealed record KnownBlock(StoredRun Run, int Index)
{
    /// <summary>When its life was renewed last, as far as this process knows.</summary>
    public DateTimeOffset Renewed { get; set; }
}
