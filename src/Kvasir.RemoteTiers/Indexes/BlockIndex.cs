using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.RemoteTiers.Stores;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.RemoteTiers.Indexes;

/// <summary>
/// Two entries for each block, one under its key and one for those who go on differently: for stores to which a thousand small questions
/// are one.
/// </summary>
sealed class BlockIndex(IBlockStore store, StoreNames names, StoredRecords records, RunValues values, ValueFormat format) : IStoreIndex
{
    /// <inheritdoc/>
    /// <remarks>
    /// Asks for the entries of all blocks, and for what follows each of them that is not full: which of those matter is only known with the
    /// answer, and to ask again would take as long again.
    /// </remarks>
    public async Task<IndexFind> Find(PrefixQuery query)
    {
        string[] asked = new string[2 * query.Blocks + 1];
        for (int block = 0; block < query.Blocks; block++)
            asked[block] = names.Block(query.Keys[block]);
        for (int block = 0; block <= query.Blocks; block++)
            asked[query.Blocks + block] = names.Tail(query.Before(block));
        byte[]?[] found = await records.GetClosed(asked).ConfigureAwait(false);
        return new IndexFind([.. Enumerable.Range(0, query.Blocks).Select(At)], block => At(query.Blocks + block));

        StoredBlock? At(int index) => Read(records.Open(asked[index], found[index]));
    }

    /// <inheritdoc/>
    public async Task<StoredBlock[]> Present(IReadOnlyCollection<BlockKey> keys)
    {
        if (keys.Count == 0)
            return [];
        ArraySegment<byte>?[] found = await records.Get([.. keys.Select(names.Block)]).ConfigureAwait(false);
        return [.. keys.Zip(found, (key, entry) => Read(entry) is { } block && block.Key == key ? block : null).OfType<StoredBlock>()];
    }

    /// <inheritdoc/>
    public Task<StoredBlock[]> AlreadyThere(IReadOnlyList<BlockWrite[]> runs) =>
        Present([.. runs.SelectMany(run => run).Select(block => block.Key)]);

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoredBlock[]> List(int atOnce)
    {
        List<string> page = [];
        await foreach (StoredName found in store.Scan(names.AllBlocks).ConfigureAwait(false))
        {
            page.Add(found.Name);
            if (page.Count < atOnce)
                continue;
            yield return await Blocks(page).ConfigureAwait(false);
            page.Clear();
        }
        yield return await Blocks(page).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public StoredRun RunOf(ReadOnlySpan<BlockWrite> blocks) => new(blocks[^1].Key, blocks.Length);

    /// <inheritdoc/>
    public IEnumerable<(string Name, byte[] Value)> Entries(IReadOnlyList<StoredBlock> run)
    {
        foreach (StoredBlock block in run)
        {
            byte[] bytes = BlockEntry.Write(block, format.Fingerprint);
            yield return (names.Block(block.Key), bytes);
            yield return (names.Tail(block.Parent), bytes); // of a full block, too: a prompt may end within it
        }
    }

    /// <inheritdoc/>
    public IEnumerable<string> Names(BlockKey key, StoredRun run, BlockKey? parent = null) =>
        parent is { } before ? [names.Block(key), names.Tail(before)] : [names.Block(key)];

    /// <inheritdoc/>
    /// <remarks>The bytes of a value go when all of its blocks do, or in their time.</remarks>
    public async Task Remove(IReadOnlyCollection<StoredBlock> blocks)
    {
        List<string> gone = [.. blocks.SelectMany(block => Names(block.Key, block.Run, block.Parent))];
        foreach (IGrouping<StoredRun, StoredBlock> run in blocks.GroupBy(block => block.Run))
            if (run.Count() == run.Key.Count)
                gone.AddRange(values.Names(run.Key));
        if (gone.Count > 0)
            await store.Delete(gone).ConfigureAwait(false);
    }

    async Task<StoredBlock[]> Blocks(IReadOnlyList<string> entries) =>
        [.. (await records.Get(entries).ConfigureAwait(false)).Select(Read).OfType<StoredBlock>()];

    StoredBlock? Read(ArraySegment<byte>? bytes) =>
        bytes is { } entry ? BlockEntry.Read(entry, format.Fingerprint, format.BlockTokens) : null;
}
