using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Eviction;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Planning.Simulation;

/// <summary>One tier of one machine, or the store that they share: its books, and what moving costs.</summary>
sealed class TierBooks
{
    readonly SimulatedTier _tier;
    long _evictionsBefore;

    public TierBooks(SimulatedTier tier, long blockBytes, int mostBlocks)
    {
        _tier = tier;
        Pool = new BlockBooks((int)Math.Clamp(tier.Bytes / blockBytes, 1, mostBlocks), policy: Policy(tier.Policy));
    }

    public Tier Tier => _tier.Tier;

    /// <summary>What is in it.</summary>
    public BlockBooks Pool { get; }

    /// <summary>By how much it is slower than it should be.</summary>
    public double Slowness { get; set; } = 1;

    public long HitTokens { get; private set; }

    public long HitBlocks { get; private set; }

    public long BytesWritten { get; private set; }

    public long BytesRead { get; private set; }

    public long Evictions => _evictionsBefore + Pool.Evictions;

    /// <summary>Seconds to read so many bytes in one go.</summary>
    public double Seconds(long bytes) => (_tier.Latency.TotalSeconds + bytes / _tier.BytesPerS) * Slowness;

    /// <summary>Puts a block there, if there is room or something to give way.</summary>
    public void Add(BlockKey key, BlockKey parent, long bytes)
    {
        if (Pool.TryAllocate() is not { } own)
            return;
        own.Complete().Register(key, parent, []).Dispose();
        BytesWritten += bytes;
    }

    /// <summary>A block that a request has used or left is there, and counts as used.</summary>
    public void UseOrAdd(BlockKey key, BlockKey parent, long bytes)
    {
        if (Pool.Contains(key))
            Pool.Use(key);
        else
            Add(key, parent, bytes);
    }

    /// <summary>A block was found here.</summary>
    public void Hit(int tokens, long bytes)
    {
        (HitTokens, HitBlocks) = (HitTokens + tokens, HitBlocks + 1);
        BytesRead += bytes;
    }

    /// <summary>The first tokens of a block were copied from one here.</summary>
    public void HitTail(int tokens) => HitTokens += tokens;

    /// <summary>Goes on with the counts of the one whose place it takes.</summary>
    public void TakeCounts(TierBooks old)
    {
        if (old == this)
            return;
        (HitTokens, HitBlocks, BytesWritten, BytesRead, _evictionsBefore) =
            (old.HitTokens, old.HitBlocks, old.BytesWritten, old.BytesRead, old.Evictions);
    }

    /// <summary>A policy by its name.</summary>
    public static IEvictionPolicy Policy(string name) => name switch
    {
        "lru" => new LeafFirstLru(),
        "s3-fifo" or "s3fifo" => new S3Fifo(),
        "hit-density" => new HitDensity(),
        _ => throw new ArgumentException($"eviction policy '{name}': expected lru, s3-fifo or hit-density"),
    };
}
