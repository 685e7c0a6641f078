using Kvasir.KvCache.Prefixes;
using Kvasir.RemoteTiers.Stores;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.RemoteTiers.Indexes;

/// <summary>
/// Who keeps which of a model's blocks, and until when, as the store knows it. Two who pin the same block at the same moment may lose
/// one of the pins.
/// </summary>
sealed class PinBook(IBlockStore store, StoreNames names, StoredRecords records, RunValues values, IStoreIndex index, TimeSpan life,
    TimeProvider time)
{
    DateTimeOffset Now => time.GetUtcNow();

    /// <summary>The pins of blocks.</summary>
    public async Task<Pins[]> Of(BlockKey[] keys) => keys.Length == 0 ? []
        : Array.ConvertAll(await records.Get([.. keys.Select(names.Pin)]).ConfigureAwait(false), bytes => Pins.Read(bytes));

    /// <summary>Keeps those of blocks that are there; returns how many.</summary>
    public async Task<int> Pin(IReadOnlyCollection<BlockKey> keys, string owner, DateTimeOffset until)
    {
        StoredBlock[] there = await index.Present(keys).ConfigureAwait(false);
        BlockKey[] pinned = [.. there.Select(block => block.Key).Distinct()];
        Pins[] pins = await Of(pinned).ConfigureAwait(false);
        await Save(pinned.Zip(pins, (key, pin) => (key, pin.With(owner, until)))).ConfigureAwait(false);
        PinnedKeys all = (await KeysOf(owner).ConfigureAwait(false)).With(pinned, until, Now);
        await records.Put([(names.Owner(owner), all.ToBytes())], all.Until - Now).ConfigureAwait(false);
        await store.Expire([.. NamesOf(there)], until - Now, onlyLonger: true).ConfigureAwait(false);
        return pinned.Length;
    }

    /// <summary>Lets go of all that an owner keeps, of whichever model; returns how many blocks.</summary>
    public async Task<int> Unpin(string owner)
    {
        PinnedKeys all = await KeysOf(owner).ConfigureAwait(false);
        int unpinned = await Unpin(all.Keys, pins => pins.Without(owner)).ConfigureAwait(false);
        await store.Delete([names.Owner(owner)]).ConfigureAwait(false);
        return unpinned;
    }

    /// <summary>Lets go of those of an owner's blocks that are there and of this model; returns how many.</summary>
    public async Task<int> UnpinPresent(string owner)
    {
        StoredBlock[] there = await index.Present((await KeysOf(owner).ConfigureAwait(false)).Keys).ConfigureAwait(false);
        return await Unpin([.. there.Select(block => block.Key).Distinct()], pins => pins.Without(owner)).ConfigureAwait(false);
    }

    /// <summary>Lets go of blocks, whoever keeps them; returns how many were kept.</summary>
    public Task<int> Unpin(BlockKey[] keys) => Unpin(keys, _ => Pins.None);

    /// <summary>Takes pins away; what nobody keeps any more lives as long as other blocks do.</summary>
    async Task<int> Unpin(BlockKey[] keys, Func<Pins, Pins> without)
    {
        Pins[] pins = await Of(keys).ConfigureAwait(false);
        (BlockKey Key, Pins Pins)[] changed = [.. keys.Zip(pins)
            .Where(pair => pair.Second.Until(Now) is not null && without(pair.Second).Count != pair.Second.Count)
            .Select(pair => (pair.First, without(pair.Second)))];
        await Save(changed).ConfigureAwait(false);
        BlockKey[] free = [.. changed.Where(pair => pair.Pins.Until(Now) is null).Select(pair => pair.Key)];
        string[] freed = [.. NamesOf(await index.Present(free).ConfigureAwait(false))];
        if (freed.Length > 0)
            await store.Expire(freed, life, onlyLonger: false).ConfigureAwait(false);
        return changed.Length;
    }

    async Task<PinnedKeys> KeysOf(string owner) => PinnedKeys.Read((await records.Get([names.Owner(owner)]).ConfigureAwait(false))[0]);

    /// <summary>Writes pins, or removes those that have ended: all that end at the same time at once.</summary>
    async Task Save(IEnumerable<(BlockKey Key, Pins Pins)> changed)
    {
        foreach (IGrouping<DateTimeOffset?, (BlockKey Key, Pins Pins)> some in changed.GroupBy(pair => pair.Pins.Until(Now)))
            await (some.Key is { } until
                ? records.Put(some.Select(pair => (names.Pin(pair.Key), pair.Pins.ToBytes())), until - Now)
                : store.Delete([.. some.Select(pair => names.Pin(pair.Key))])).ConfigureAwait(false);
    }

    IEnumerable<string> NamesOf(IEnumerable<StoredBlock> blocks) =>
        blocks.SelectMany(block => values.Names(block.Run).Concat(index.Names(block.Key, block.Run))).Distinct();
}
