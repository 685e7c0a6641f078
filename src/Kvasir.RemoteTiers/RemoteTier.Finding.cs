using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
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
    /// Finds what there is of a prompt: whether it is as it should be, reading it will tell. A store that does not answer has nothing.
    /// </summary>
    public ValueTask<TierFind> Find(PrefixQuery query, CancellationToken cancellation) =>
        _health.IsReachable || _health.IsStarting ? new(Task.Run(() => FindSafely(query, cancellation), CancellationToken.None))
            : new(TierFind.Nothing);

    async Task<TierFind> FindSafely(PrefixQuery query, CancellationToken cancellation)
    {
        try
        {
            return await _health.WaitForStart(s_patienceAtStart, cancellation).ConfigureAwait(false)
                ? await FindNow(query).ConfigureAwait(false)
                : TierFind.Nothing;
        }
        catch (Exception e)
        {
            _health.Failed(e);
            return TierFind.Nothing;
        }
    }

    /// <summary>
    /// Asks for the entries of all blocks, and for what follows each of them that is not full: which of those matter is only known with the
    /// answer, and to ask again would take as long again.
    /// </summary>
    async Task<TierFind> FindNow(PrefixQuery query)
    {
        string[] names = new string[2 * query.Blocks + 1];
        for (int block = 0; block < query.Blocks; block++)
            names[block] = _names.Block(query.Keys[block]);
        for (int block = 0; block <= query.Blocks; block++)
            names[query.Blocks + block] = _names.Tail(query.Before(block));
        long start = _options.Time.GetTimestamp();
        byte[]?[] values = await _records.GetClosed(names).ConfigureAwait(false);
        Volatile.Write(ref _way, _options.Time.GetElapsedTime(start).TotalSeconds);
        long[] places = new long[query.Blocks];
        for (int block = 0; block < places.Length; block++)
            places[block] = Place(query, block, At(block));
        int last = Math.Max(query.LastKnown, Array.FindLastIndex(places, place => place != TierFind.Absent));
        List<TailFind> tails = [];
        foreach (int block in ((int[])[query.Blocks, last + 1]).Distinct())
            if (At(query.Blocks + block) is { } entry && Tail(query, block, entry) is { } tail)
                tails.Add(tail);
        return new TierFind(places, tails);

        BlockEntry? At(int index) => Entry(_records.Open(names[index], values[index]));
    }

    /// <summary>Takes note of an entry if it is what it should be: where a block is, is known by its key.</summary>
    long Place(PrefixQuery query, int block, BlockEntry? entry)
    {
        if (entry is null || entry.Parent != query.Before(block) || !query.TokensOf(block).SequenceEqual(entry.Tokens))
        {
            _known.Remove(query.Keys[block]);
            return TierFind.Absent;
        }
        _known.Add(query.Keys[block], entry);
        return 0;
    }

    TailFind? Tail(PrefixQuery query, int block, BlockEntry entry)
    {
        if (entry.Parent != query.Before(block) || query.TokensOf(block).IsEmpty)
            return null;
        TailMatch match = default(TailMatch).Longer(entry.Key, entry.Tokens, query.TokensOf(block));
        _known.Add(match.Key, entry);
        Renew(match.Key, _names.Tail(query.Before(block))); // whoever ends within a block never has it as his own
        return new TailFind(block, match, entry.Tokens, 0);
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
        List<string> names = [];
        await foreach (string name in _store.Scan(_names.Blocks).ConfigureAwait(false))
        {
            names.Add(name);
            if (names.Count >= Math.Min(most, MostAtOnce) && !await Add().ConfigureAwait(false))
                break;
        }
        await Add().ConfigureAwait(false);
        return [.. blocks.Values.OrderByDescending(block => block.Used).Take(most)];

        async Task<bool> Add()
        {
            BlockEntry[] entries = [.. (await Entries(names).ConfigureAwait(false)).OfType<BlockEntry>()];
            names.Clear();
            foreach (TierBlock block in await Pinned(entries).ConfigureAwait(false))
                blocks[block.Key] = block;
            return blocks.Count < most;
        }
    }

    async Task<IReadOnlyList<TierBlock>> Describe(IReadOnlyCollection<BlockKey> keys)
    {
        BlockEntry?[] entries = await Entries([.. keys.Select(_names.Block)]).ConfigureAwait(false);
        BlockEntry[] true_ = [.. keys.Zip(entries).Where(pair => pair.Second?.Key == pair.First).Select(pair => pair.Second!)];
        foreach (BlockEntry entry in true_)
            _known.Add(entry.Key, entry);
        return await Pinned(true_).ConfigureAwait(false);
    }

    async Task<IReadOnlyList<TierBlock>> Pinned(BlockEntry[] entries)
    {
        BlockKey[] keys = [.. entries.Select(entry => entry.Key)];
        Pins[] pins = await PinsOf(keys).ConfigureAwait(false);
        return [.. entries.Select((entry, i) =>
            new TierBlock(keys[i], entry.Parent, entry.Tokens, Used: entry.Written, IsPinned: pins[i].Until(Now) is not null))];
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
