using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.RemoteTiers;

/// <summary>
/// What its owner may decide: which blocks stay and which go. Pins hold against time and against everybody who evicts here; when the store
/// itself is full, it evicts as it was told to. Two who pin the same block at the same moment may lose one of the pins.
/// </summary>
public sealed partial class RemoteTier
{
    const int MostAtOnce = 1024;

    /// <inheritdoc/>
    /// <remarks>The bytes of a value go with the last of its blocks, or in their time.</remarks>
    public (int Evicted, int Kept) Evict(IReadOnlyCollection<BlockKey> keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        return keys.Count == 0 || !CanWrite ? (0, 0) : Answered(async () =>
        {
            (int evicted, int kept) = (0, 0);
            foreach (BlockKey[] some in keys.Distinct().Chunk(MostAtOnce))
            {
                (int gone, int stayed) = await EvictSome(some).ConfigureAwait(false);
                (evicted, kept) = (evicted + gone, kept + stayed);
            }
            return (evicted, kept);
        });
    }

    async Task<(int Evicted, int Kept)> EvictSome(BlockKey[] keys)
    {
        StoredBlock[] there = await _index.Present(keys).ConfigureAwait(false);
        BlockKey[] found = [.. there.Select(block => block.Key).Distinct()];
        Pins[] pins = await PinsOf(found).ConfigureAwait(false);
        HashSet<BlockKey> gone = [.. found.Where((_, i) => pins[i].Until(Now) is null)];
        await _index.Remove([.. there.Where(block => gone.Contains(block.Key))]).ConfigureAwait(false);
        foreach (BlockKey key in gone)
            _known.Remove(key);
        return (gone.Count, found.Length - gone.Count);
    }

    /// <inheritdoc/>
    public int Pin(IReadOnlyCollection<BlockKey> keys, string owner, DateTimeOffset until)
    {
        ArgumentException.ThrowIfNullOrEmpty(owner);
        TimeSpan life = until - Now;
        return life <= TimeSpan.Zero ? 0 : Answered(async () =>
        {
            StoredBlock[] there = await _index.Present(keys).ConfigureAwait(false);
            BlockKey[] pinned = [.. there.Select(block => block.Key).Distinct()];
            Pins[] pins = await PinsOf(pinned).ConfigureAwait(false);
            foreach ((Pins pin, BlockKey key) in pins.Zip(pinned))
                await Save(key, pin.With(owner, until)).ConfigureAwait(false);
            string list = _names.Owner(owner);
            PinnedKeys all = PinnedKeys.Read((await _records.Get([list]).ConfigureAwait(false))[0]).With(pinned, until, Now);
            await _records.Put([(list, all.ToBytes())], all.Until - Now).ConfigureAwait(false);
            await _store.Expire([.. NamesOf(there)], life, onlyLonger: true).ConfigureAwait(false);
            return pinned.Length;
        });
    }

    /// <inheritdoc/>
    public int Unpin(string owner) => Answered(async () =>
    {
        string list = _names.Owner(owner);
        PinnedKeys all = PinnedKeys.Read((await _records.Get([list]).ConfigureAwait(false))[0]);
        int unpinned = await Unpin(all.Keys, pins => pins.Without(owner)).ConfigureAwait(false);
        await _store.Delete([list]).ConfigureAwait(false);
        return unpinned;
    });

    /// <inheritdoc/>
    public int Unpin(IReadOnlyCollection<BlockKey> keys) => Answered(() => Unpin([.. keys], _ => Pins.None));

    /// <summary>Takes pins away; what nobody keeps any more lives as long as other blocks do.</summary>
    async Task<int> Unpin(BlockKey[] keys, Func<Pins, Pins> without)
    {
        Pins[] pins = await PinsOf(keys).ConfigureAwait(false);
        List<BlockKey> free = [];
        int unpinned = 0;
        foreach ((BlockKey key, Pins before) in keys.Zip(pins))
        {
            Pins after = without(before);
            if (before.Until(Now) is null || after.Count == before.Count)
                continue;
            unpinned++;
            await Save(key, after).ConfigureAwait(false);
            if (after.Until(Now) is null)
                free.Add(key);
        }
        string[] names = [.. NamesOf(await _index.Present(free).ConfigureAwait(false))];
        if (names.Length > 0)
            await _store.Expire(names, _options.Address.Life, onlyLonger: false).ConfigureAwait(false);
        return unpinned;
    }

    Task Save(BlockKey key, Pins pins) => pins.Until(Now) is { } until
        ? _records.Put([(_names.Pin(key), pins.ToBytes())], until - Now)
        : _store.Delete([_names.Pin(key)]);

    async Task<Pins[]> PinsOf(BlockKey[] keys) => keys.Length == 0 ? []
        : Array.ConvertAll(await _records.Get([.. keys.Select(_names.Pin)]).ConfigureAwait(false), bytes => Pins.Read(bytes));

    IEnumerable<string> NamesOf(IEnumerable<StoredBlock> blocks) =>
        blocks.SelectMany(block => _values.Names(block.Run).Concat(_index.Names(block.Key, block.Run))).Distinct();

    T Answered<T>(Func<Task<T>> question)
    {
        if (!Task.Run(() => IsThere().AsTask()).GetAwaiter().GetResult())
            throw new IOException(Problem ?? $"{_options.Address}: not connected yet");
        try
        {
            return Task.Run(question).GetAwaiter().GetResult();
        }
        catch (Exception e)
        {
            _health.Failed(e);
            throw new IOException($"{_options.Address}: {e.Message}", e);
        }
    }
}
