using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.RemoteTiers.Indexes;
using Kvasir.RemoteTiers.Stores;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.RemoteTiers;

/// <summary>What is there: of a prompt, in one round trip, and for whoever looks.</summary>
public sealed partial class RemoteTier
{
    static readonly TimeSpan s_ageOfSize = TimeSpan.FromSeconds(5);

    StoreSize _size;
    long _sizeAt;

    /// <summary>
    /// Finds what there is of a prompt: whether it is as it should be, reading it will tell.
    /// </summary>
    public ValueTask<TierFind> Find(PrefixQuery query, CancellationToken cancellation) =>
        _health.IsReachable || _health.IsStarting ? new(Task.Run(() => FindSafely(query, cancellation), CancellationToken.None))
            : new(TierFind.NoAnswer);

    async Task<TierFind> FindSafely(PrefixQuery query, CancellationToken cancellation)
    {
        try
        {
            return await _health.WaitForStart(s_patienceAtStart, cancellation).ConfigureAwait(false)
                ? await FindNow(query).ConfigureAwait(false)
                : TierFind.NoAnswer;
        }
        catch (Exception e)
        {
            _health.Failed(e);
            return TierFind.NoAnswer;
        }
    }

    async Task<TierFind> FindNow(PrefixQuery query)
    {
        long start = _options.Time.GetTimestamp();
        IndexFind find = await _index.Find(query).ConfigureAwait(false);
        Volatile.Write(ref _way, _options.Time.GetElapsedTime(start).TotalSeconds);
        long[] places = new long[query.Blocks];
        for (int block = 0; block < places.Length; block++)
            places[block] = Place(query, block, find.Blocks[block]);
        int last = Math.Max(query.LastKnown, Array.FindLastIndex(places, place => place != TierFind.Absent));
        List<TailFind> tails = [];
        foreach (int block in ((int[])[query.Blocks, last + 1]).Distinct())
            if (find.Following(block) is { } following && Tail(query, block, following) is { } tail)
                tails.Add(tail);
        return new TierFind(places, tails);
    }

    /// <summary>Takes note of a block if it is what it should be: where it is, is known by its key.</summary>
    long Place(PrefixQuery query, int block, StoredBlock? found)
    {
        if (found is null || found.Parent != query.Before(block) || !query.TokensOf(block).SequenceEqual(found.Tokens))
        {
            _known.Remove(query.Keys[block]);
            return TierFind.Absent;
        }
        _known.Add(query.Keys[block], found);
        return 0;
    }

    TailFind? Tail(PrefixQuery query, int block, StoredBlock following)
    {
        if (following.Parent != query.Before(block) || query.TokensOf(block).IsEmpty)
            return null;
        TailMatch match = default(TailMatch).Longer(following.Key, following.Tokens, query.TokensOf(block));
        _known.Add(match.Key, following);
        Renew(match.Key, following.Parent); // whoever ends within a block never has it as his own
        return new TailFind(block, match, following.Tokens, 0);
    }

    /// <inheritdoc/>
    public TierLease? TryRead(BlockKey key) => null;

    /// <inheritdoc/>
    public TierBlock? Describe(BlockKey key) => Guard(() => Describe([key]), []) is [{ } block] ? block : null;

    /// <summary>Blocks of this model, at most so many: a store is searched through as far as that takes, and knows no order.</summary>
    public IReadOnlyList<TierBlock> List(int most) => Guard(() => ListNow(most), []);

    async Task<IReadOnlyList<TierBlock>> ListNow(int most)
    {
        Dictionary<BlockKey, TierBlock> blocks = [];
        await foreach (StoredBlock[] some in _index.List(Math.Min(most, MostAtOnce)).ConfigureAwait(false))
        {
            foreach (TierBlock block in await Described(some).ConfigureAwait(false))
                blocks[block.Key] = block;
            if (blocks.Count >= most)
                break;
        }
        return [.. blocks.Values.OrderByDescending(block => block.Used).Take(most)];
    }

    async Task<IReadOnlyList<TierBlock>> Describe(IReadOnlyCollection<BlockKey> keys)
    {
        StoredBlock[] there = await _index.Present(keys).ConfigureAwait(false);
        foreach (StoredBlock block in there)
            _known.Add(block.Key, block);
        return await Described([.. there.DistinctBy(block => block.Key)]).ConfigureAwait(false);
    }

    async Task<IReadOnlyList<TierBlock>> Described(StoredBlock[] blocks)
    {
        BlockKey[] keys = [.. blocks.Select(block => block.Key)];
        Pins[] pins = await _pins.Of(keys).ConfigureAwait(false);
        return [.. blocks.Select((block, i) =>
            new TierBlock(keys[i], block.Parent, block.Tokens, Used: block.Written, IsPinned: pins[i].Until(Now) is not null))];
    }

    /// <summary>
    /// What the store says of itself, all that others keep there included. Blocks are those that this process has found there or written.
    /// </summary>
    public TierContent Content()
    {
        if (_health.IsReachable && _options.Time.GetElapsedTime(Volatile.Read(ref _sizeAt)) > s_ageOfSize)
            _ = RefreshSize(); // for whoever asks next: nobody waits for it
        StoreSize size = _size;
        return new TierContent(size.CapacityBytes, size.UsedBytes, size.CapacityBytes / _layout.StrideBytes, _known.Count, 0, 0,
            size.Evictions, $"{_options.Address}");
    }

    async Task RefreshSize()
    {
        Volatile.Write(ref _sizeAt, _options.Time.GetTimestamp());
        try
        {
            _size = await _store.Size().ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException) { } // some servers do not tell everybody
    }

    /// <summary>Nothing: a store says not what it has evicted.</summary>
    public IReadOnlyDictionary<BlockKey, DateTimeOffset> FindEvictions(IReadOnlyCollection<BlockKey> keys) =>
        new Dictionary<BlockKey, DateTimeOffset>();

    T Guard<T>(Func<Task<T>> question, T otherwise)
    {
        try
        {
            return Task.Run(async () => await IsThere().ConfigureAwait(false) ? await question().ConfigureAwait(false) : otherwise)
                .GetAwaiter().GetResult();
        }
        catch (Exception e)
        {
            _health.Failed(e);
            return otherwise;
        }
    }

    ValueTask<bool> IsThere() => _health.WaitForStart(s_patienceAtStart, CancellationToken.None);

    DateTimeOffset Now => _options.Time.GetUtcNow();
}
