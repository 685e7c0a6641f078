using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.RemoteTiers.Stores;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.RemoteTiers.Indexes;

/// <summary>
/// One entry for each run, under two names: that of its last full block, which no other conversation has, and that of the block before it,
/// where the newest of all runs that follow is found. Nothing is read before it is written: who writes last wins, and the others cost time.
/// </summary>
sealed class RunIndex(IBlockStore store, StoreNames names, StoredRecords records, RunValues values, RunShape shape, ValueFormat format,
    KnownBlocks known, TimeSpan life) : IStoreIndex
{
    const int MostRounds = 3;

    /// <inheritdoc/>
    /// <remarks>Where runs are as long as they may be, one round trip; where turns of a conversation cut them, one more or two.</remarks>
    public async Task<IndexFind> Find(PrefixQuery query)
    {
        RunSearch search = new(query, shape, names);
        for (int round = 0; round < MostRounds && search.Next() is { Count: > 0 } asked; round++)
            search.Add(await Read(asked).ConfigureAwait(false));
        return new IndexFind(search.Blocks, search.Following);
    }

    /// <inheritdoc/>
    public async Task<StoredBlock[]> Present(IReadOnlyCollection<BlockKey> keys)
    {
        HashSet<BlockKey> wanted = [.. keys];
        RunEntry?[] found = await Read([.. wanted.SelectMany(Near).Distinct()]).ConfigureAwait(false);
        return [.. Distinct(found).SelectMany(run => run.There).Where(block => wanted.Contains(block.Key))];
    }

    /// <summary>Where a block's run has its entries, or would have them if it were the last of one or the one before.</summary>
    IEnumerable<string> Near(BlockKey key) => known.Find(key) is { } block ? Names(key, block.Run) : [names.End(key), names.Following(key)];

    /// <inheritdoc/>
    public async Task<StoredBlock[]> AlreadyThere(IReadOnlyList<BlockWrite[]> runs)
    {
        HashSet<BlockKey> wanted = [.. runs.SelectMany(run => run).Select(block => block.Key)];
        RunEntry?[] found = await Read([.. runs.Select(run => names.End(RunOf(run).LastFull))]).ConfigureAwait(false);
        return [.. found.OfType<RunEntry>().SelectMany(run => run.There).Where(block => wanted.Contains(block.Key))];
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoredBlock[]> List(int atOnce)
    {
        await foreach (StoredName[] page in Pages(Math.Max(1, atOnce / shape.MostBlocks)).ConfigureAwait(false))
        {
            RunEntry?[] found = await Read([.. page.Select(name => name.Name)]).ConfigureAwait(false);
            yield return [.. page.Zip(found).SelectMany(pair => pair.Second?.There.Select(block =>
                block with { Written = pair.First.Changed ?? block.Written }) ?? [])];
        }
    }

    async IAsyncEnumerable<StoredName[]> Pages(int most)
    {
        List<StoredName> page = [];
        await foreach (StoredName name in store.Scan(names.AllEnds).ConfigureAwait(false))
        {
            page.Add(name);
            if (page.Count < most)
                continue;
            yield return [.. page];
            page.Clear();
        }
        yield return [.. page];
    }

    /// <inheritdoc/>
    public StoredRun RunOf(ReadOnlySpan<BlockWrite> blocks) => RunEntry.RunOf(blocks, format.BlockTokens);

    /// <inheritdoc/>
    public IEnumerable<(string Name, byte[] Value)> Entries(IReadOnlyList<StoredBlock> run)
    {
        byte[] bytes = RunEntry.Of(run).ToBytes(format.Fingerprint);
        return Names(run[0].Run).Select(name => (name, bytes));
    }

    /// <inheritdoc/>
    public IEnumerable<string> Names(BlockKey key, StoredRun run, BlockKey? parent = null) => Names(run);

    string[] Names(StoredRun run) => [names.Following(run.Before), names.End(run.LastFull)];

    /// <inheritdoc/>
    public async Task Remove(IReadOnlyCollection<StoredBlock> blocks)
    {
        foreach (IGrouping<StoredRun, StoredBlock> run in blocks.GroupBy(block => block.Run))
        {
            string[] both = Names(run.Key);
            RunEntry?[] entries = await Read(both).ConfigureAwait(false);
            ulong gone = run.Aggregate(0UL, (bits, block) => bits | 1UL << block.Index);
            (string Name, RunEntry Entry)[] own = [.. both.Zip(entries)
                .Where(pair => pair.Second?.Run == run.Key) // others may have taken a name over
                .Select(pair => (pair.First, pair.Second! with { Present = pair.Second.Present & ~gone }))];
            if (Array.TrueForAll(own, entry => !entry.Entry.There.Any()))
                await store.Delete([.. own.Select(entry => entry.Name), .. values.Names(run.Key)]).ConfigureAwait(false);
            else
                await records.Put(own.Select(entry => (entry.Name, entry.Entry.ToBytes(format.Fingerprint))), life).ConfigureAwait(false);
        }
    }

    async Task<RunEntry?[]> Read(IReadOnlyList<string> entries)
    {
        if (entries.Count == 0)
            return [];
        ArraySegment<byte>?[] found = await records.Get(entries).ConfigureAwait(false);
        return Array.ConvertAll(found, bytes => bytes is { } entry ? RunEntry.Read(entry, format.Fingerprint, format.BlockTokens) : null);
    }

    static IEnumerable<RunEntry> Distinct(IEnumerable<RunEntry?> runs) => runs.OfType<RunEntry>().DistinctBy(run => run.Run);
}
