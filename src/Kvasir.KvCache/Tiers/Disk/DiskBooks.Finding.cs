using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>What the books are asked: most of it in memory, tokens of the catalogue.</summary>
sealed partial class DiskBooks
{
    const int MostSiblings = 8; // of which tokens are fetched to be compared

    public bool TryFind(BlockKey key, out int slot)
    {
        lock (_gate)
            return _index.TryFind(key, out slot);
    }

    /// <summary>The places of blocks, or <see cref="TierFind.Absent"/>.</summary>
    public long[] Find(ReadOnlySpan<BlockKey> keys)
    {
        long[] places = new long[keys.Length];
        lock (_gate)
            for (int i = 0; i < places.Length; i++)
                places[i] = _index.TryFind(keys[i], out int slot) ? slot : TierFind.Absent;
        return places;
    }

    /// <summary>
    /// The blocks that share most first tokens with what follows certain numbers of blocks. Their tokens are asked for at once.
    /// </summary>
    public List<TailFind> FindTails(PrefixQuery query, params ReadOnlySpan<int> after)
    {
        SortedList<int, List<BlockKey>> siblings = [];
        lock (_gate)
            foreach (int block in after)
                if (!query.TokensOf(block).IsEmpty)
                    siblings[block] = Following(query.Before(block));
        List<BlockKey> keys = [];
        foreach (List<BlockKey> some in siblings.Values)
            keys.AddRange(some);
        Dictionary<BlockKey, int[]> tokens = keys.Count == 0 ? [] : Query(catalogue => catalogue.Tokens(keys));
        List<TailFind> tails = [];
        foreach ((int block, List<BlockKey> some) in siblings)
        {
            TailMatch best = default;
            foreach (BlockKey key in some)
                if (tokens.GetValueOrDefault(key) is { Length: > 0 } stored)
                    best = best.Longer(key, stored, query.TokensOf(block));
            if (best.Found && TryFind(best.Key, out int slot))
                tails.Add(new TailFind(block, best, tokens[best.Key], slot));
        }
        return tails;
    }

    List<BlockKey> Following(BlockKey parent)
    {
        List<BlockKey> keys = [];
        foreach (int slot in _index.Children(parent))
            if (keys.Count < MostSiblings)
                keys.Add(_index.Key(slot));
        return keys;
    }

    /// <summary>Asks the catalogue.</summary>
    public T Query<T>(Func<Catalogue, T> query)
    {
        lock (_reading)
            return query(_catalogue);
    }
}
