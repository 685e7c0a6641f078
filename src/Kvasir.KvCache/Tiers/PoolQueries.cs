using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Tiers;

/// <summary>What tiers are asked, answered by blocks in memory.</summary>
public static class PoolQueries
{
    /// <summary>What a pool has of a prompt.</summary>
    internal static TierFind Find(this BlockBooks pool, PrefixQuery query)
    {
        long[] places = new long[query.Blocks];
        int last = query.LastKnown;
        for (int block = 0; block < places.Length; block++)
        {
            places[block] = pool.Contains(query.Keys[block]) ? 0 : TierFind.Absent;
            last = places[block] == TierFind.Absent ? last : Math.Max(last, block);
        }
        List<TailFind> tails = [];
        foreach (int block in (ReadOnlySpan<int>)[query.Blocks, last + 1])
            if (!tails.Exists(tail => tail.Block == block) && pool.FindTail(query, block) is { } tail)
                tails.Add(tail);
        return new TierFind(places, tails);
    }

    /// <summary>The block after a number of blocks that shares most first tokens with what follows them.</summary>
    internal static TailFind? FindTail(this BlockBooks pool, PrefixQuery query, int block)
    {
        ReadOnlySpan<int> following = query.TokensOf(block);
        if (following.IsEmpty || pool.LongestTail(query.Before(block), following) is not { Found: true } match)
            return null;
        using BlockLease? lease = pool.TryRead(match.Key);
        return lease is null ? null : new TailFind(block, match, lease.Tokens.ToArray(), 0);
    }

    /// <summary>What a pool holds and may hold.</summary>
    public static TierContent Content(this BlockPool pool)
    {
        ArgumentNullException.ThrowIfNull(pool);
        PoolCounts counts = pool.Counts;
        long stride = pool.Layout.StrideBytes, used = counts.Total - counts.Free;
        return new TierContent(counts.Total * stride, used * stride, counts.Total, used,
            counts.Leased + counts.InFlight, 0, pool.Evictions);
    }

    /// <summary>Evicts blocks now that are there and that nobody holds.</summary>
    /// <returns>How many went, and how many that are there stayed.</returns>
    public static (int Evicted, int Kept) Drop(this BlockBooks pool, IReadOnlyCollection<BlockKey> keys)
    {
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentNullException.ThrowIfNull(keys);
        int evicted = 0, kept = 0;
        foreach (BlockKey key in keys)
            if (pool.TryDrop(key))
                evicted++;
            else if (pool.Contains(key))
                kept++;
        return (evicted, kept);
    }

    /// <summary>All blocks that can be found, at most so many.</summary>
    internal static IReadOnlyList<TierBlock> ListBlocks(this BlockBooks pool, int most) =>
        [.. pool.List(most).Select(block => new TierBlock(block.Key, block.Parent, block.Tokens) { IsHeld = block.IsLeased })];

    /// <summary>What is known of a block; null when it is not there.</summary>
    internal static TierBlock? Describe(this BlockBooks pool, BlockKey key)
    {
        using BlockLease? lease = pool.TryRead(key);
        return lease is null ? null : new TierBlock(key, lease.Parent, lease.Tokens.ToArray());
    }

    /// <summary>When blocks were evicted, of those of which that is remembered.</summary>
    internal static IReadOnlyDictionary<BlockKey, DateTimeOffset> EvictionsOf(this BlockBooks pool, IReadOnlyCollection<BlockKey> keys)
    {
        Dictionary<BlockKey, DateTimeOffset> evictions = [];
        foreach (BlockKey key in keys)
            if (pool.TryFindEviction(key, out DateTimeOffset when))
                evictions[key] = when;
        return evictions;
    }
}
