using System.Buffers;
using System.Collections.Concurrent;
using System.Collections.Immutable;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Metrics;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.RemoteTiers.Indexes;
using Kvasir.RemoteTiers.Redis;
using Kvasir.RemoteTiers.S3;
using Kvasir.RemoteTiers.Settings;
using Kvasir.RemoteTiers.Stores;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.RemoteTiers;

/// <summary>
/// Blocks in a store that many machines share: one model's view of it. Nothing that goes wrong with the store is an exception here: what
/// does not come or is not what it should be is a miss, what the store does not take is dropped, and both are counted. Thread-safe.
/// </summary>
public sealed partial class RemoteTier : IDurableTier
{
    static readonly TimeSpan s_patienceAtStart = TimeSpan.FromSeconds(1); // of those who could go on without

    readonly RemoteTierOptions _options;
    readonly KvLayout _layout;
    readonly ImmutableArray<LayerGroup> _groups;
    readonly IBlockStore _store;
    readonly StoreHealth _health;
    readonly Seal? _seal;
    readonly StoreNames _names;
    readonly StoredRecords _records;
    readonly ValueFormat _format;
    readonly RunShape _shape;
    readonly RunValues _values;
    readonly IStoreIndex _index;
    readonly PinBook _pins;
    readonly ModelCard _card;
    readonly RunWriter _writer;
    readonly FetchThreads _threads;
    readonly Renewals _renewals;
    readonly KnownBlocks _known = new();
    readonly Lock _gate = new();
    readonly ConcurrentDictionary<CounterName, long> _counts = [];
    Task _forgetting = Task.CompletedTask;
    double _way; // seconds there and back, as the last lookup took
    bool _hasCard; // in the store, as this process saw to
    int _disposed;

    /// <param name="options">Which store.</param>
    /// <param name="layout">Shape of the pool's blocks.</param>
    /// <param name="fingerprint">What, besides tokens, determines them.</param>
    public RemoteTier(RemoteTierOptions options, KvLayout layout, Fingerprint fingerprint)
        : this(options, layout, fingerprint, Open(options)) { }

    internal static IBlockStore Open(RemoteTierOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.Address.Protocol == StoreProtocol.S3 ? new S3Store(options) : new RedisStore(options);
    }

    internal RemoteTier(RemoteTierOptions options, KvLayout layout, Fingerprint fingerprint, IBlockStore store)
    {
        (_options, _layout, _store) = (options, layout, store);
        _groups = LayerGroup.Of(layout, DiskTier.LeastGroupBytes);
        _seal = options.EncryptionKey is { } key ? new Seal(key) : null;
        StoreView view = new(options, store, _seal, fingerprint, layout.BlockTokens, _groups, _known);
        (_names, _records, _format, _shape) = (view.Names, view.Records, view.Format, view.Shape);
        (_values, _index, _pins) = (view.Values, view.Index, view.Pins);
        _card = new ModelCard($"{fingerprint}", options.ModelName, layout.BlockTokens, [.. _groups]);
        _writer = new RunWriter(_values, _shape, _index, _records, options.Address.Life, options.Time);
        _health = new StoreHealth($"{options.Address}", Probe, options.Log, options.Time);
        _renewals = new Renewals(names => _store.Expire(names, options.Address.Life, onlyLonger: true), options.Time);
        _threads = new FetchThreads(Begin, End, Outstanding);
        _health.Start();
    }

    /// <inheritdoc/>
    public Tier Tier => Tier.Remote;

    /// <inheritdoc/>
    public bool IsLossless => true;

    /// <inheritdoc/>
    public bool IsFar => true;

    /// <inheritdoc/>
    public bool CanWrite => _health.IsReachable || _health.IsStarting;

    /// <inheritdoc/>
    public Admission Admission => Admission.EndOfRequest;

    /// <inheritdoc/>
    public string? Problem => _health.Problem;

    /// <inheritdoc/>
    public void Load(BlockLoad load)
    {
        ArgumentNullException.ThrowIfNull(load);
        List<(LoadedBlock, KnownBlock)> found = [];
        foreach (LoadedBlock block in load.Blocks)
            if (_known.Find(block.Key) is { } where)
                found.Add((block, where));
            else
                Fail(load, block);
        _threads.Start(ValueFetch.Of(load, found, _values));
    }

    /// <summary>A block that was found, and of which so many others were found since that nobody remembers where.</summary>
    static void Fail(BlockLoad load, LoadedBlock block)
    {
        load.Fail(block, ReadOutcome.Gone);
        for (int group = 0; group < load.Groups.Length; group++)
            load.Done(block, group);
    }

    int Outstanding() => _shape.OutstandingFor(Volatile.Read(ref _way));

    Task<IMemoryOwner<byte>?>? Begin(ValueFetch fetch) =>
        _health.IsReachable && fetch.IsWanted ? _values.Get(fetch.Run, fetch.Groups) : null;

    void End(ValueFetch fetch, Task<IMemoryOwner<byte>?>? answer)
    {
        ReadOutcome[] outcomes = new ReadOutcome[fetch.Blocks.Count];
        Array.Fill(outcomes, ReadOutcome.IoError);
        try
        {
            using IMemoryOwner<byte>? value = answer?.GetAwaiter().GetResult();
            if (answer is not null)
                Take(fetch, value, outcomes);
        }
        catch (Exception e) // of whatever kind: on these threads it would end the process
        {
            _health.Failed(e);
        }
        Report(fetch, outcomes);
    }

    /// <summary>Copies what is wanted out of groups of a run, which may be anything.</summary>
    void Take(ValueFetch fetch, IMemoryOwner<byte>? got, ReadOutcome[] outcomes)
    {
        Array.Fill(outcomes, got is null ? ReadOutcome.Gone : ReadOutcome.Ok);
        for (int group = fetch.Groups.First; got is not null && group < fetch.Groups.End; group++)
        {
            ReadOutcome outcome = _values.Open(fetch.Run, fetch.Groups, group, got.Memory.Span, out ReadOnlySpan<byte> value);
            for (int i = 0; i < outcomes.Length; i++)
                if (outcomes[i] == ReadOutcome.Ok && fetch.Blocks[i] is var (block, index) && block.Outcome == ReadOutcome.Ok)
                    outcomes[i] = outcome == ReadOutcome.Ok ? _format.Read(value, group, fetch.Run.Count, index, block) : outcome;
        }
    }

    void Report(ValueFetch fetch, ReadOutcome[] outcomes)
    {
        List<string> bad = [];
        foreach (((LoadedBlock block, _), ReadOutcome outcome) in fetch.Blocks.Zip(outcomes))
            if (outcome != ReadOutcome.Ok && fetch.Load.Fail(block, outcome))
            {
                KvCacheMetrics.Corrupt(Tier.Name(), outcome.Name());
                Count(CounterName.Corrupt(outcome.Name()), 1);
                _known.Remove(block.Key); // before anybody is told, or what is computed instead would not be written
                if (outcome != ReadOutcome.IoError)
                    bad.AddRange(_index.Names(block.Key, fetch.Run, block.Parent));
            }
        if (bad.Count > 0)
            Forget(fetch, bad);
        foreach ((LoadedBlock block, _) in fetch.Blocks)
            for (int group = fetch.Groups.First; group < fetch.Groups.End; group++)
                fetch.Load.Done(block, group);
    }

    /// <summary>
    /// Removes entries that name what is not there. What else was in the run may have no entries any more either. Returns at once; who
    /// writes next, waits for it.
    /// </summary>
    void Forget(ValueFetch fetch, List<string> names)
    {
        foreach ((LoadedBlock block, _) in fetch.Blocks)
            _known.Remove(block.Key);
        Task forgotten = ForgetNow([.. names.Distinct()]);
        lock (_gate)
            _forgetting = Task.WhenAll(_forgetting, forgotten);
    }

    async Task ForgetNow(string[] names)
    {
        try
        {
            await _store.Delete(names).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            _health.Failed(e);
        }
    }

    /// <inheritdoc/>
    public int Write(ReadOnlySpan<BlockWrite> blocks)
    {
        BlockWrite[] wanted = blocks.ToArray();
        try
        {
            return wanted.Length == 0 ? 0 : WriteNow(wanted).GetAwaiter().GetResult();
        }
        catch (Exception e)
        {
            _health.Failed(e);
            return 0;
        }
    }

    async Task<int> WriteNow(BlockWrite[] blocks)
    {
        if (!await _health.WaitForStart(s_patienceAtStart, CancellationToken.None).ConfigureAwait(false))
            return 0;
        await _forgetting.ConfigureAwait(false);
        HashSet<BlockKey> there = []; // where others were faster
        foreach (StoredBlock block in await _index.AlreadyThere(_writer.Runs(blocks)).ConfigureAwait(false))
        {
            there.Add(block.Key);
            _known.Add(block.Key, block);
        }
        bool failed = false;
        IReadOnlyList<StoredBlock> written = await _writer.Write(_writer.Runs(blocks.Where(block => !there.Contains(block.Key))), e =>
        {
            failed = true;
            _health.Failed(e);
        }).ConfigureAwait(false);
        foreach (StoredBlock block in written)
            _known.Add(block.Key, block);
        if (!failed && written.Count > 0)
            await Took().ConfigureAwait(false);
        return written.Count;
    }

    /// <summary>The store took blocks; with the first it gets the model's card.</summary>
    async Task Took()
    {
        _health.Took();
        if (!_hasCard)
            await _records.Put([(_names.Model(_format.Fingerprint), _card.ToBytes())], ModelCard.Life).ConfigureAwait(false);
        _hasCard = true;
    }

    /// <summary>Whether a block is known to be there: <see cref="Write"/> asks the store about the others, all at once.</summary>
    public bool Contains(BlockKey key) => _known.Find(key) is not null;

    /// <inheritdoc/>
    public void Touch(BlockKey key) => Renew(key);

    /// <summary>
    /// Renews the life of a block that was used, unless it is in its first half, and of what led there. One from the future was written by
    /// somebody whose clock is wrong: how old it is, is not known.
    /// </summary>
    void Renew(BlockKey key, BlockKey? parent = null)
    {
        DateTimeOffset now = _options.Time.GetUtcNow();
        if (_known.Find(key) is not { } block || now - block.Renewed is var age && age >= TimeSpan.Zero && age < _options.Address.Life / 2)
            return;
        block.Renewed = now;
        _renewals.Add([.. _index.Names(key, block.Run, parent), .. _values.Names(block.Run), _names.Model(_format.Fingerprint)]);
    }

    /// <summary>
    /// Reads the values of blocks as a bare loop of the client library would, and does nothing with them: what restoring them could reach.
    /// </summary>
    /// <param name="keys">The blocks.</param>
    /// <returns>Bytes of all values, and the time that they took; nothing when the store does not answer.</returns>
    public (long Bytes, TimeSpan Time) ReadBare(IReadOnlyCollection<BlockKey> keys)
    {
        StoredBlock[] blocks = Guard(() => _index.Present(keys), []);
        IEnumerable<StoredRun> runs = blocks.Select(block => block.Run).Distinct();
        (StoredRun, GroupRange)[] reads = [.. runs.SelectMany(run => _values.Reads(run).Select(groups => (run, groups)))];
        long start = _options.Time.GetTimestamp();
        long bytes = Guard(() => ReadBare(reads), 0);
        return (bytes, _options.Time.GetElapsedTime(start));
    }

    async Task<long> ReadBare((StoredRun Run, GroupRange Groups)[] reads)
    {
        const int outstanding = 8;
        Queue<Task<IMemoryOwner<byte>?>> flying = [];
        long bytes = 0;
        for (int next = 0; next < reads.Length || flying.Count > 0;)
            if (next < reads.Length && flying.Count < outstanding)
                flying.Enqueue(_values.Get(reads[next].Run, reads[next++].Groups));
            else
                using (IMemoryOwner<byte>? value = await flying.Dequeue().ConfigureAwait(false))
                    bytes += value?.Memory.Length ?? 0;
        return bytes;
    }

    /// <inheritdoc/>
    public void AddRoot(BlockKey root) { }

    /// <summary>Null: whose blocks others are is nobody's business in a shared store.</summary>
    public ForeignBlock? Elsewhere(BlockKey root, ReadOnlySpan<int> firstBlock) => null;

    /// <summary>Adds to a counter of this process: other machines compute and load at other speeds.</summary>
    public void Count(CounterName name, long by) => _counts.AddOrUpdate(name, by, (_, count) => count + by);

    /// <inheritdoc/>
    public long Counted(CounterName name) => _counts.GetValueOrDefault(name);

    /// <summary>Finishes what is under way and closes the connections.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _threads.Dispose();
        _renewals.Dispose();
        _health.Dispose();
        _store.Dispose();
        _seal?.Dispose();
    }

    async Task Probe()
    {
        await _store.Probe().ConfigureAwait(false);
        await RefreshSize().ConfigureAwait(false);
    }
}
