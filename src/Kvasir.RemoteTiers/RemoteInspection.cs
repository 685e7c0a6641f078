using System.Buffers;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.RemoteTiers.Indexes;
using Kvasir.RemoteTiers.Settings;
using Kvasir.RemoteTiers.Stores;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.RemoteTiers;

/// <summary>
/// Looks into a store that many machines share, at the blocks of all models of one installation, and keeps it in order. Sealed blocks are
/// seen only by who has the key.
/// </summary>
public sealed class RemoteInspection : ITierInspection
{
    const int AtOnce = 1024, MostModels = 1000;

    readonly RemoteTierOptions _options;
    readonly IBlockStore _store;
    readonly Seal? _seal;
    readonly StoreNames _names;
    readonly StoredRecords _records;

    RemoteInspection(RemoteTierOptions options, IBlockStore store)
    {
        (_options, _store) = (options, store);
        _seal = options.EncryptionKey is { } key ? new Seal(key) : null;
        _names = StoreNames.In(options.Address, _seal?.NameKey);
        _records = new StoredRecords(store, _seal);
    }

    /// <summary>Connects to a store.</summary>
    /// <exception cref="IOException">It does not answer; the message names it.</exception>
    public static RemoteInspection Open(RemoteTierOptions options)
    {
        RemoteInspection inspection = new(options, RemoteTier.Open(options));
        try
        {
            inspection.Ask(async () =>
            {
                await inspection._store.Probe().ConfigureAwait(false);
                return 0;
            });
            return inspection;
        }
        catch
        {
            inspection.Dispose();
            throw;
        }
    }

    /// <summary>What the store says of itself: bytes that it may hold (0 when it does not say) and holds, and values that had to give way.
    /// </summary>
    public (long CapacityBytes, long UsedBytes, long Evictions) Size() => Ask(async () =>
    {
        StoreSize size = await _store.Size().ConfigureAwait(false);
        return (size.CapacityBytes, size.UsedBytes, size.Evictions);
    });

    /// <inheritdoc/>
    public IReadOnlyList<InspectedModel> Models() => Ask(async () =>
    {
        List<InspectedModel> models = [];
        foreach (Shelf shelf in await Shelves().ConfigureAwait(false))
        {
            InspectedBlock[] blocks = await Inspect(shelf).ConfigureAwait(false);
            models.Add(new InspectedModel(shelf.Card.Model(), shelf.Card.Name, blocks.Length,
                blocks.Sum(block => (long)block.Tokens.Length), blocks.Sum(block => block.Bytes),
                blocks.Count(block => block.PinnedBy is not null)));
        }
        return models.OrderByDescending(model => model.Blocks).ToArray();
    });

    /// <inheritdoc/>
    public IReadOnlyList<InspectedBlock> Blocks() => Ask(async () =>
    {
        List<InspectedBlock> all = [];
        foreach (Shelf shelf in await Shelves().ConfigureAwait(false))
            all.AddRange(await Inspect(shelf).ConfigureAwait(false));
        return all.OrderByDescending(block => block.Used).ToArray();
    });

    /// <inheritdoc/>
    public IReadOnlyDictionary<ReadOutcome, int> Verify(IProgress<(int Done, int Total)>? progress = null,
        CancellationToken cancellation = default) => Ask(async () =>
    {
        Dictionary<ReadOutcome, int> outcomes = [];
        List<(Shelf Shelf, StoredBlock[] Blocks)> all = [];
        foreach (Shelf shelf in await Shelves().ConfigureAwait(false))
            all.Add((shelf, await shelf.Blocks().ConfigureAwait(false)));
        (int done, int total) = (0, all.Sum(model => model.Blocks.Length));
        foreach ((Shelf shelf, StoredBlock[] blocks) in all)
            foreach (IGrouping<StoredRun, StoredBlock> run in blocks.GroupBy(block => block.Run))
            {
                cancellation.ThrowIfCancellationRequested();
                progress?.Report((done, total));
                ReadOutcome[] found = await Verify(shelf.View, run.Key, [.. run]).ConfigureAwait(false);
                foreach (ReadOutcome outcome in found)
                    outcomes[outcome] = outcomes.GetValueOrDefault(outcome) + 1;
                StoredBlock[] bad = [.. run.Where((_, i) => found[i] is not (ReadOutcome.Ok or ReadOutcome.IoError))];
                await shelf.View.Index.Remove(bad).ConfigureAwait(false);
                done += found.Length;
            }
        progress?.Report((total, total));
        return outcomes;
    });

    /// <summary>
    /// Removes what is of no use: entries of blocks whose bytes are gone; and where the store itself forgets nothing, what nobody has used
    /// for longer than blocks live, and nobody keeps.
    /// </summary>
    /// <returns>Blocks that were forgotten, and values to which no entry led any more.</returns>
    public (int Blocks, int Values) Collect() => Ask(async () =>
    {
        List<(Shelf Shelf, StoredBlock[] Blocks)> all = [];
        foreach (Shelf shelf in await Shelves().ConfigureAwait(false))
            all.Add((shelf, await shelf.Blocks().ConfigureAwait(false)));
        Dictionary<string, DateTimeOffset?> values = []; // looked for after the entries: those are written last
        await foreach (StoredName value in _store.Scan(_names.AllValues).ConfigureAwait(false))
            values[value.Name] = value.Changed;
        DateTimeOffset oldest = _options.Time.GetUtcNow() - _options.Address.Life;
        int removed = 0;
        foreach ((Shelf shelf, StoredBlock[] blocks) in all)
        {
            HashSet<StoredRun> useless = await Useless(shelf, blocks, values, oldest).ConfigureAwait(false);
            removed += await Remove(shelf.View, [.. blocks.Where(block => useless.Contains(block.Run))]).ConfigureAwait(false);
            foreach (StoredRun run in blocks.Select(block => block.Run).Distinct())
                foreach (string name in shelf.View.Values.Names(run))
                    values.Remove(name);
        }
        string[] stray = [.. values.Where(value => value.Value < oldest).Select(value => value.Key)];
        if (stray.Length > 0)
            await _store.Delete(stray).ConfigureAwait(false);
        return (removed, stray.Length);
    });

    async Task<HashSet<StoredRun>> Useless(
        Shelf shelf, StoredBlock[] blocks, Dictionary<string, DateTimeOffset?> values, DateTimeOffset oldest)
    {
        Pins[] pins = await shelf.View.Pins.Of([.. blocks.Select(block => block.Key)]).ConfigureAwait(false);
        DateTimeOffset now = _options.Time.GetUtcNow();
        HashSet<StoredRun> kept = [.. blocks.Where((_, i) => pins[i].Until(now) is not null).Select(block => block.Run)];
        return [.. blocks.Select(block => block.Run).Distinct().Where(run => shelf.View.Values.Names(run)
            .Any(name => !values.TryGetValue(name, out DateTimeOffset? changed) || (changed < oldest && !kept.Contains(run))))];
    }

    /// <inheritdoc/>
    public int Clear(Fingerprint? model = null) => Ask(async () =>
    {
        int removed = 0;
        foreach (Shelf shelf in await Shelves().ConfigureAwait(false))
            if (model is null || shelf.Card.Model() == model)
            {
                StoredBlock[] blocks = await shelf.Blocks().ConfigureAwait(false);
                await shelf.View.Pins.Unpin([.. blocks.Select(block => block.Key)]).ConfigureAwait(false);
                removed += await Remove(shelf.View, blocks).ConfigureAwait(false);
                await _store.Delete([_names.Model(shelf.Card.Model())]).ConfigureAwait(false);
            }
        return removed;
    });

    /// <inheritdoc/>
    public int Unpin(string owner) => Ask(async () =>
    {
        List<Shelf> shelves = await Shelves().ConfigureAwait(false);
        int unpinned = 0;
        foreach (Shelf shelf in shelves) // each model's, since only it knows how long its blocks live then
            unpinned += await shelf.View.Pins.UnpinPresent(owner).ConfigureAwait(false);
        if (shelves.Count > 0)
            unpinned += await shelves[0].View.Pins.Unpin(owner).ConfigureAwait(false); // of blocks that are gone, and the list
        return unpinned;
    });

    /// <inheritdoc/>
    public void Dispose()
    {
        _store.Dispose();
        _seal?.Dispose();
    }

    static async Task<int> Remove(StoreView view, StoredBlock[] blocks)
    {
        foreach (IGrouping<StoredRun, StoredBlock>[] runs in blocks.GroupBy(block => block.Run).Chunk(AtOnce))
            await view.Index.Remove([.. runs.SelectMany(run => run)]).ConfigureAwait(false);
        return blocks.DistinctBy(block => block.Key).Count();
    }

    static async Task<ReadOutcome[]> Verify(StoreView view, StoredRun run, StoredBlock[] blocks)
    {
        ReadOutcome[] outcomes = new ReadOutcome[blocks.Length]; // Ok
        foreach (GroupRange read in view.Values.Reads(run))
        {
            using IMemoryOwner<byte>? got = await view.Values.Get(run, read).ConfigureAwait(false);
            Check(view, read, got, blocks, outcomes);
        }
        return outcomes;
    }

    static void Check(StoreView view, GroupRange read, IMemoryOwner<byte>? got, StoredBlock[] blocks, ReadOutcome[] outcomes)
    {
        for (int group = read.First; group < read.End; group++)
        {
            ReadOnlySpan<byte> value = [];
            ReadOutcome whole = got is null ? ReadOutcome.Gone
                : view.Values.Open(blocks[0].Run, read, group, got.Memory.Span, out value);
            for (int i = 0; i < blocks.Length; i++)
                if (outcomes[i] == ReadOutcome.Ok)
                    outcomes[i] = whole == ReadOutcome.Ok ? view.Format.Verify(value, group, blocks[i]) : whole;
        }
    }

    async Task<InspectedBlock[]> Inspect(Shelf shelf)
    {
        StoredBlock[] blocks = [.. (await shelf.Blocks().ConfigureAwait(false)).DistinctBy(block => block.Key)];
        Pins[] pins = await shelf.View.Pins.Of([.. blocks.Select(block => block.Key)]).ConfigureAwait(false);
        long bytes = shelf.View.Groups.Sum(group => group.Bytes);
        DateTimeOffset now = _options.Time.GetUtcNow();
        Fingerprint model = shelf.Card.Model();
        return [.. blocks.Select((block, i) => new InspectedBlock(block.Key, block.Parent, model, shelf.Card.Name, block.Tokens, bytes,
            block.Written, pins[i].Owner(now), pins[i].Until(now)))];
    }

    /// <summary>The models that have a card.</summary>
    async Task<List<Shelf>> Shelves()
    {
        List<string> names = [];
        await foreach (StoredName card in _store.Scan(_names.AllModels).ConfigureAwait(false))
            if (names.Count < MostModels)
                names.Add(card.Name);
        List<Shelf> shelves = [];
        foreach (ArraySegment<byte>? bytes in await _records.Get([.. names.Distinct()]).ConfigureAwait(false))
            if (ModelCard.Read(bytes) is { } card && shelves.TrueForAll(other => other.Card.Model() != card.Model()))
                shelves.Add(new Shelf(card,
                    new StoreView(_options, _store, _seal, card.Model(), card.BlockTokens, [.. card.Groups], new KnownBlocks())));
        return shelves;
    }

    T Ask<T>(Func<Task<T>> question)
    {
        try
        {
            return Task.Run(question).GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new IOException($"{_options.Address}: {e.Message}", e);
        }
    }

    /// <summary>A model and where its blocks are.</summary>
    sealed record Shelf(ModelCard Card, StoreView View)
    {
        /// <summary>All blocks, each once in every run that has it, whatever the store lists.</summary>
        public async Task<StoredBlock[]> Blocks()
        {
            Dictionary<(BlockKey, StoredRun), StoredBlock> blocks = [];
            await foreach (StoredBlock[] some in View.Index.List(AtOnce).ConfigureAwait(false))
                foreach (StoredBlock block in some)
                    blocks.TryAdd((block.Key, block.Run), block);
            return [.. blocks.Values];
        }
    }
}
