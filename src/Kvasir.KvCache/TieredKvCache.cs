using System.Collections.Immutable;
using System.Security.Cryptography;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Streaming;
using Kvasir.KvCache.Tiers;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.KvCache;

/// <summary>
/// The cache of one engine: a pool that attention reads, and tiers behind it: the host's memory, a disk that other engines and processes
/// share, perhaps more. Blocks are found by what they hold and everything before it. Sequences of one cache may be used by several threads,
/// each sequence by one at a time.
/// </summary>
public sealed partial class TieredKvCache : IDisposable
{
    static readonly TimeSpan s_patienceOfViewers = TimeSpan.FromSeconds(30);

    const double ShareForWriting = 0.75; // of the time to close: the rest is for what was used and counted

    readonly WriteBack[] _writeBacks;
    readonly RequestAccounts _accounts;
    readonly PrefixIndex _index;
    readonly CacheCounters _counters;
    string? _problem;
    bool _disposed;

    /// <param name="layout">Shape of a block.</param>
    /// <param name="fingerprint">What, besides tokens, determines keys and values.</param>
    /// <param name="options">Sizes and settings.</param>
    /// <param name="arena">The memory of the pool, which is the cache's from now on; null takes
    /// what the options say.</param>
    /// <exception cref="InsufficientMemoryException">No memory for the pool.</exception>
    public TieredKvCache(KvLayout layout, Fingerprint fingerprint, KvCacheOptions options, IBlockArena? arena = null)
        : this(layout, fingerprint, options, arena, new TransferCosts()) { }

    TieredKvCache(KvLayout layout, Fingerprint fingerprint, KvCacheOptions options, IBlockArena? arena, TransferCosts costs)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(options);
        (Layout, Fingerprint, Options, Costs) = (layout, fingerprint, options, costs);
        Windows = layout.Windowed is { } windowed ? OfWindows(windowed) : null;
        Groups = LayerGroup.Of(layout, DiskTier.LeastGroupBytes);
        arena ??= options.NewArena?.Invoke(layout, options.DeviceBlocks) ?? new NativeArena(layout, options.DeviceBlocks);
        Device = new BlockPool(layout, arena, time: options.Time, tier: Tier.Device);
        Device.Reclaim = Views.TryReclaim;
        Tiers = [.. NewTiers().OrderBy(tier => tier.Tier)];
        Streamed = options.Streaming is { } streaming
            ? new StreamedBlocks(Device, Tiers.OfType<HostTier>().FirstOrDefault(), streaming) : null;
        Peer = options.Peer?.Invoke(this);
        _counters = new CacheCounters(Tiers);
        _accounts = new RequestAccounts(_counters);
        _index = new PrefixIndex(Device, Tiers, Costs, options.Time);
        _writeBacks =
            [.. Tiers.Select(tier => new WriteBack(tier, Device, [.. Tiers.TakeWhile(other => other != tier)], Traffic, options.Time,
                Streamed is null ? null : Streamed.TryCopy))];
        if (Durable is { } book and not (DiskTier or OpeningTier))
            RecallCosts(book);
    }

    /// <summary>Shape of a block.</summary>
    public KvLayout Layout { get; }

    /// <summary>What, besides tokens, determines keys and values.</summary>
    public Fingerprint Fingerprint { get; }

    /// <summary>The pool that attention reads.</summary>
    public BlockPool Device { get; }

    /// <summary>Where blocks of running sequences lie for which the pool has no room; null when it has room for all.</summary>
    internal StreamedBlocks? Streamed { get; }

    /// <summary>Whether sequences longer than the pool may be read from the disk.</summary>
    public bool StreamsFromDisk => Streamed?.File is not null;

    /// <summary>The tiers behind it that there are and that can be used, the warmest first.</summary>
    public ImmutableArray<ITier> Tiers { get; }

    /// <summary>The warmest tier that outlives the process and can be written; null when there is none.</summary>
    public IDurableTier? Durable => DurableTiers.FirstOrDefault();

    /// <summary>All tiers that outlive the process and can be written, the warmest first.</summary>
    public IEnumerable<IDurableTier> DurableTiers => Tiers.OfType<IDurableTier>().Where(tier => tier.CanWrite);

    /// <summary>
    /// What is wrong with a tier, in one line; null when nothing is. Without it everything is computed, and nothing else is wrong.
    /// </summary>
    public string? Problem =>
        _problem ?? Tiers.Select(tier => tier.Problem).FirstOrDefault(problem => problem is not null) ?? Windows?.Problem;

    /// <summary>
    /// What is wrong with one of the tiers, be it with what it keeps of layers with windows alone; null when nothing is.
    /// </summary>
    public string? ProblemOf(Tier tier) =>
        (tier == Tier.Disk ? _problem : null) ?? Tiers.FirstOrDefault(one => one.Tier == tier)?.Problem ?? Windows?.ProblemOf(tier);

    /// <summary>What loading and computing take.</summary>
    public TransferCosts Costs { get; }

    /// <summary>What was moved between the tiers.</summary>
    public TierTraffic Traffic { get; } = new();

    /// <summary>The groups of layers in which blocks move.</summary>
    public ImmutableArray<LayerGroup> Groups { get; }

    internal KvCacheOptions Options { get; }

    /// <summary>Other machines that bring what no tier has; null when there are none.</summary>
    internal IPeer? Peer { get; }

    /// <summary>A new, empty sequence.</summary>
    /// <param name="salt">Whose it is: sequences find what was computed under the same salt only. Empty for nobody's in particular.</param>
    /// <param name="sharing">Whether it finds and leaves blocks at all.</param>
    /// <param name="tokens">Tokens to make room for in the books, so that growing to as many allocates nothing.</param>
    public CachedSequence NewSequence(ReadOnlySpan<byte> salt = default, bool sharing = true, int tokens = 0)
    {
        BlockKey root = RootOf(salt);
        foreach (IDurableTier tier in Tiers.OfType<IDurableTier>())
            tier.AddRoot(root);
        return new CachedSequence(this, sharing ? root : PrivateRoot(), sharing, tokens, Peer)
        {
            Windows = WindowsOf(root, sharing, tokens),
        };
    }

    /// <summary>What names the blocks of a sequence that shares none: nobody else can make it.</summary>
    static BlockKey PrivateRoot() => new(new Digest(RandomNumberGenerator.GetBytes(Digest.Size)));

    /// <summary>A new, empty sequence that begins with a root which somebody else made, and what that one has.</summary>
    internal CachedSequence NewSequence(BlockKey root, IPeer peer, int tokens) => new(this, root, sharing: true, tokens, peer);

    /// <summary>Where the blocks of a prompt are, and why the others are missing, without touching anything.</summary>
    /// <param name="tokens">The prompt; at least one token.</param>
    /// <param name="salt">Whose it is.</param>
    public Task<PrefixLookup> Lookup(ReadOnlySpan<int> tokens, ReadOnlySpan<byte> salt = default)
    {
        if (tokens.IsEmpty)
            throw new ArgumentException("a prompt has at least one token");
        PrefixQuery query = Query(tokens.ToArray(), salt);
        Task<PrefixLookup> found = _index.FindAll(query, s_patienceOfViewers);
        return Windows is null ? found : ForgoWhatSeesNothing(found, Windows.Query(tokens.ToArray(), salt));
    }

    /// <summary>
    /// How many of a prompt's tokens, its last included, a tier has for whoever goes on after them: where layers with windows keep theirs
    /// apart, without those that would be computed again for what the tier has not of the windows.
    /// </summary>
    public async Task<int> CountKept(IDurableTier tier, int[] tokens, byte[]? salt = null)
    {
        ArgumentNullException.ThrowIfNull(tier);
        // one more: the last of a query is not asked for
        int[] query = [.. tokens, 0];
        TierFind find = await tier.Find(Query(query, salt), CancellationToken.None).ConfigureAwait(false);
        return Windows is not null ? await CountSeeing(tier.Tier, find, query, salt).ConfigureAwait(false)
            : find.Places.Count(place => place != TierFind.Absent) * Layout.BlockTokens + TailOf(find, tokens.Length / Layout.BlockTokens);
    }

    /// <summary>The keys of a prompt's full blocks, and of its tail if it has one: what a pin names.</summary>
    public IReadOnlyList<BlockKey> Keys(ReadOnlySpan<int> tokens, ReadOnlySpan<byte> salt = default)
    {
        List<BlockKey> keys = [];
        BlockKey key = RootOf(salt);
        for (int start = 0; start < tokens.Length; start += Layout.BlockTokens)
            keys.Add(key = KeyChain.Next(key, tokens[start..Math.Min(tokens.Length, start + Layout.BlockTokens)]));
        return keys;
    }

    /// <summary>All blocks that can be found, in whatever tiers they are; of each tier at most so many.</summary>
    public IReadOnlyList<CachedBlock> Blocks(int most)
    {
        Dictionary<BlockKey, CachedBlock> blocks = [];
        Add(Tier.Device, Device.ListBlocks(most));
        foreach (ITier tier in Tiers)
            Add(tier.Tier, tier.List(most));
        return [.. blocks.Values];

        void Add(Tier tier, IReadOnlyList<TierBlock> those)
        {
            foreach (TierBlock block in those)
                blocks[block.Key] = blocks.GetValueOrDefault(block.Key, new CachedBlock(block.Key, block.Parent, block.Tokens))
                    .And(tier, block);
        }
    }

    /// <summary>Evicts blocks from a tier, or from all. Those that somebody holds or keeps stay.</summary>
    /// <returns>How many copies went, and how many stayed.</returns>
    /// <exception cref="IOException">A tier cannot be written.</exception>
    public (int Evicted, int Kept) Evict(IReadOnlyCollection<BlockKey> keys, Tier? from = null)
    {
        ArgumentNullException.ThrowIfNull(keys);
        Windows?.Evict(WindowKeys(keys), from);
        (int evicted, int kept) = from is null or Tier.Device ? Device.Drop(keys) : (0, 0);
        foreach (ITier tier in Tiers.Where(tier => from is null || from == tier.Tier))
        {
            (int gone, int stayed) = tier.Evict(keys);
            (evicted, kept) = (evicted + gone, kept + stayed);
        }
        return (evicted, kept);
    }

    /// <summary>Waits until what was admitted is in the tiers, or dropped, and what was counted is noted.</summary>
    /// <returns>False when the time was over before.</returns>
    public bool Flush(TimeSpan patience)
    {
        long start = Options.Time.GetTimestamp();
        Streamed?.Writer?.WaitFor(_ => true);
        bool done = true;
        foreach (WriteBack writeBack in _writeBacks)
            done &= writeBack.Flush(Rest());
        done &= Windows?.Flush(Rest()) != false;
        return _accounts.Flush(Rest()) && done;

        TimeSpan Rest() => patience - Options.Time.GetElapsedTime(start) is var rest && rest > TimeSpan.Zero ? rest : TimeSpan.Zero;
    }

    /// <summary>
    /// Waits until what is full has been copied to the tiers that take all that is: what is given back next may give way at once.
    /// </summary>
    /// <returns>False when the time was over before.</returns>
    public bool FlushCopies(TimeSpan patience)
    {
        bool done = true;
        foreach (WriteBack writeBack in _writeBacks)
            if (writeBack.Target.Admission == Admission.WhenFull)
                done &= writeBack.Flush(patience);
        return done & Windows?.FlushCopies(patience) != false;
    }

    /// <summary>
    /// Tokens of a prompt were computed. The speed is remembered beside the blocks, for the next process to
    /// know from the start what it saves.
    /// </summary>
    public void Computed(int tokens, TimeSpan time)
    {
        Costs.Computed(tokens, time);
        _counters.Count(CounterName.PrefillTokens(Fingerprint), tokens);
        _counters.Count(CounterName.PrefillTime(Fingerprint), (long)time.TotalMicroseconds);
    }

    /// <summary>
    /// Blocks that were to be written when the cache was closed, and were not in time; null as long as it is open, and when there was
    /// nothing that could not be finished.
    /// </summary>
    public int? Unfinished { get; private set; }

    /// <summary>
    /// Writes what waits, closes the tiers and frees the memory; what takes longer than <see cref="KvCacheOptions.CloseDeadline"/> is left
    /// to itself. Sequences must be disposed before.
    /// </summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, true))
            return;
        Task closing = Task.Factory.StartNew(Close, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        bool closed = ((IAsyncResult)closing).AsyncWaitHandle.WaitOne(Options.CloseDeadline);
        if (closing.IsFaulted)
            closing.GetAwaiter().GetResult(); // throws
        int unwritten = _writeBacks.Sum(writeBack => writeBack.Unwritten) + (Windows?.Unfinished ?? 0);
        Unfinished = closed && unwritten == 0 ? null : unwritten;
    }

    void Close()
    {
        Flush(Options.CloseDeadline * ShareForWriting);
        Windows?.Dispose(); // beside what is left of the time: what waits there has been flushed
        _accounts.Dispose();
        foreach (WriteBack writeBack in _writeBacks)
            writeBack.Dispose();
        Streamed?.Dispose();
        foreach (ITier tier in Tiers)
            tier.Dispose();
        (Peer as IDisposable)?.Dispose();
        Views.Clear();
        Device.Dispose(); // last: until then somebody may write from there
    }

    /// <summary>A right to read a block as it was computed, where memory has it; null where none has.</summary>
    internal TierLease? TryRead(BlockKey key) => TierLease.TryRead(Device, key)
        ?? Tiers.Where(tier => tier.IsLossless).Select(tier => tier.TryRead(key)).FirstOrDefault(copy => copy is not null);

    /// <summary>Looks a prompt up.</summary>
    internal Task<PrefixLookup> Find(PrefixQuery query) => _index.Find(query, Options.LookupDeadline);

    /// <summary>A load of blocks from a tier, to be begun.</summary>
    internal BlockLoad NewLoad(Tier from) => new(from, Groups) { Over = Account };

    /// <summary>Accounts for a request: to the process's metrics, and to counters beside the blocks. Returns at once.</summary>
    internal void Account(CacheUse use) => _accounts.Add(use);

    /// <summary>Asks for a block to be written to the tiers that admit blocks at this moment; returns at once.</summary>
    internal void Offload(BlockKey key, Admission moment, Tier? from = null)
    {
        foreach (WriteBack writeBack in _writeBacks)
            if (writeBack.Target.Admission == moment && writeBack.Target.Tier != from && writeBack.Target.CanWrite)
                writeBack.Add(key);
    }

    /// <summary>
    /// A block was used: colder tiers should know, or they would evict what is so much in use that nobody asks them for it. To have been
    /// computed is no use yet of a tier that takes all that is computed.
    /// </summary>
    internal void Touch(BlockKey key, bool isNew)
    {
        foreach (WriteBack writeBack in _writeBacks)
            if (!isNew || writeBack.Target.Admission != Admission.WhenFull)
                writeBack.Touch(key);
    }

    void Account(BlockLoad load)
    {
        long bytes = load.Blocks.Count(block => block.Outcome == ReadOutcome.Ok) * Layout.BlockBytes;
        Costs.Loaded(load.From, bytes, load.Time);
        _counters.Loaded(load.From, bytes, load.Time);
        Traffic.Moved(load.From, Tier.Device, bytes, load.Time);
    }

    PrefixQuery Query(int[] tokens, ReadOnlySpan<byte> salt)
    {
        BlockKey root = RootOf(salt);
        int blocks = (tokens.Length - 1) / Layout.BlockTokens;
        var keys = new PrefixKeys(root, Layout.BlockTokens, blocks);
        keys.Extend(tokens, blocks);
        return new PrefixQuery(keys.First(blocks), root, tokens, Layout.BlockTokens);
    }

    IEnumerable<ITier> NewTiers()
    {
        KvLayout stored = HostTier.Stored(Layout, Options.HostCodec);
        if (Options.HostBytes >= stored.StrideBytes)
            yield return new HostTier(Layout, new NativeArena(stored,
                (int)Math.Min(Options.HostBytes / stored.StrideBytes, int.MaxValue / Layout.BlockTokens)), Options.HostCodec, Options.Time);
        if (Options.Disk is { } disk && OpenDisk(disk) is { } opened)
            yield return opened;
        foreach (Func<KvLayout, Fingerprint, ITier> tier in Options.FurtherTiers)
            yield return tier(Layout, Fingerprint);
    }

    /// <summary>A model is not kept from answering by a directory that takes long to open.</summary>
    IDurableTier? OpenDisk(DiskTierOptions options)
    {
        Task<DiskTier> opening = Task.Factory.StartNew(() =>
        {
            DiskTier tier = DiskTier.Open(options, Layout, Fingerprint, Options.ModelName);
            RecallCosts(tier);
            return tier;
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        if (!((IAsyncResult)opening).AsyncWaitHandle.WaitOne(Options.LookupDeadline / 2))
            return new OpeningTier(opening, options);
        if (opening.IsCompletedSuccessfully)
            return opening.Result;
        _problem = opening.Exception!.InnerException!.Message;
        return null;
    }

    /// <summary>What computing and loading took in earlier processes.</summary>
    void RecallCosts(IDurableTier book)
    {
        Costs.Computed(
            (int)Math.Min(book.Counted(CounterName.PrefillTokens(Fingerprint)), int.MaxValue),
            TimeSpan.FromMicroseconds(book.Counted(CounterName.PrefillTime(Fingerprint))));
        foreach (Tier tier in (Tier[])[Tier.Disk, Tier.Remote])
            Costs.Loaded(tier, book.Counted(CounterName.LargeLoadedBytes(tier)),
                TimeSpan.FromMicroseconds(book.Counted(CounterName.LargeLoadedTime(tier))));
    }
}
