using System.Collections.Immutable;
using System.Diagnostics;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Eviction;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.KvCache;

/// <summary>
/// The cache of one engine: a pool that attention reads, the host's memory behind it, and a disk that other engines and processes share. Blocks are found by
/// what they hold and everything before it. Sequences of one cache may be used by several threads, each sequence by one at a time.
/// </summary>
public sealed unsafe class TieredKvCache : IDisposable
{
    /// <summary>Layers are brought in groups of at least so many bytes.</summary>
    public const long LeastGroupBytes = 256 << 10;

    const int ManyBlocks = 4;

    static readonly TimeSpan s_patienceAtEnd = TimeSpan.FromSeconds(30);

    readonly Onboarder _onboarder;
    readonly WriteBack? _writeBack;
    readonly string _prefillTokens, _prefillTime; // names of counters
    string? _diskProblem;

    /// <param name="layout">Shape of a block.</param>
    /// <param name="fingerprint">What, besides tokens, determines keys and values.</param>
    /// <param name="options">Sizes and settings.</param>
    /// <exception cref="InsufficientMemoryException">No memory for the pool.</exception>
    public TieredKvCache(KvLayout layout, Fingerprint fingerprint, KvCacheOptions options)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(options);
        (Layout, Fingerprint, Options) = (layout, fingerprint, options);
        (_prefillTokens, _prefillTime) = ($"prefill.tokens.{fingerprint}", $"prefill.us.{fingerprint}");
        Groups = LayerGroup.Of(layout, LeastGroupBytes);
        Device = new BlockPool(layout, options.DeviceBlocks, time: options.Time);
        KvLayout hostLayout = options.HostCodec is null ? layout : new KvLayout(layout.BlockTokens, options.HostCodec, layout.Layers);
        if (options.HostBytes >= hostLayout.StrideBytes)
            Host = new BlockPool(hostLayout, (int)Math.Min(options.HostBytes / hostLayout.StrideBytes, int.MaxValue / layout.BlockTokens), new S3Fifo(), options.Time, Tier.Host); // decision 7
        Disk = options.Disk is null ? null : OpenDisk(options.Disk);
        _writeBack = Disk is null ? null : new WriteBack(Device, Host, Disk, Traffic);
        Index = new PrefixIndex(Device, Host, Disk);
        _onboarder = new Onboarder(layout, Disk, Costs, Traffic);
        if (Disk is not null)
        {
            Costs.Computed((int)Math.Min(Disk.Counted(_prefillTokens), int.MaxValue), TimeSpan.FromMicroseconds(Disk.Counted(_prefillTime)));
            Costs.Loaded(Tier.Disk, Disk.Counted("load.disk.large.bytes"), TimeSpan.FromMicroseconds(Disk.Counted("load.disk.large.us")));
        }
    }

    /// <summary>Shape of a block.</summary>
    public KvLayout Layout { get; }

    /// <summary>What, besides tokens, determines keys and values.</summary>
    public Fingerprint Fingerprint { get; }

    /// <summary>The pool that attention reads.</summary>
    public BlockPool Device { get; }

    /// <summary>The host tier, if there is one.</summary>
    public BlockPool? Host { get; }

    /// <summary>The disk tier, if there is one and its directory can be used.</summary>
    public DiskTier? Disk { get; }

    /// <summary>What is wrong with the disk tier, in one line; null when nothing is. Without it everything is computed, and nothing else is wrong.</summary>
    public string? DiskProblem => Disk?.Problem ?? _diskProblem;

    /// <summary>What loading and computing take.</summary>
    public TransferCosts Costs { get; } = new();

    /// <summary>What was moved between the tiers.</summary>
    public TierTraffic Traffic { get; } = new();

    internal ImmutableArray<LayerGroup> Groups { get; }

    internal PrefixIndex Index { get; }

    internal KvCacheOptions Options { get; }

    DiskTier? OpenDisk(DiskTierOptions options)
    {
        try
        {
            return DiskTier.Open(options, Layout, Fingerprint, Options.ModelName);
        }
        catch (IOException e)
        {
            _diskProblem = e.Message;
            return null;
        }
    }

    /// <summary>A new, empty sequence.</summary>
    /// <param name="salt">Whose it is: sequences find what was computed under the same salt only. Empty for nobody's in particular.</param>
    /// <param name="sharing">Whether it finds and leaves blocks at all.</param>
    /// <param name="tokens">Tokens to make room for in the books, so that growing to as many allocates nothing.</param>
    public CachedSequence NewSequence(ReadOnlySpan<byte> salt = default, bool sharing = true, int tokens = 0)
    {
        BlockKey root = KeyChain.Root(Fingerprint, salt);
        Disk?.AddRoot(root);
        return new CachedSequence(this, root, sharing, tokens);
    }

    /// <summary>Where the blocks of a prompt are, and why the others are missing, without touching anything.</summary>
    public PrefixLookup Lookup(ReadOnlySpan<int> tokens, ReadOnlySpan<byte> salt = default)
    {
        if (tokens.IsEmpty)
            throw new ArgumentException("a prompt has at least one token");
        BlockKey root = KeyChain.Root(Fingerprint, salt);
        var keys = new PrefixKeys(root, Layout.BlockTokens, tokens.Length / Layout.BlockTokens);
        var lookup = new PrefixLookup();
        Index.Find(lookup, keys, tokens);
        Index.Explain(lookup, keys, tokens, root);
        return lookup;
    }

    /// <summary>The keys of a prompt's full blocks, and of its tail if it has one: what a pin names.</summary>
    public IReadOnlyList<BlockKey> Keys(ReadOnlySpan<int> tokens, ReadOnlySpan<byte> salt = default)
    {
        List<BlockKey> keys = [];
        BlockKey key = KeyChain.Root(Fingerprint, salt);
        for (int start = 0; start < tokens.Length; start += Layout.BlockTokens)
            keys.Add(key = KeyChain.Next(key, tokens[start..Math.Min(tokens.Length, start + Layout.BlockTokens)]));
        return keys;
    }

    /// <summary>All blocks that can be found, in whatever tiers they are; of each tier at most so many.</summary>
    public IReadOnlyList<CachedBlock> Blocks(int most)
    {
        Dictionary<BlockKey, CachedBlock> blocks = [];
        foreach ((BlockKey key, BlockKey parent, int[] tokens, bool leased) in Device.List(most))
            blocks[key] = new CachedBlock(key, parent, tokens) { InDevice = true, IsLeased = leased };
        foreach ((BlockKey key, BlockKey parent, int[] tokens, _) in Host?.List(most) ?? [])
            blocks[key] = blocks.GetValueOrDefault(key, new CachedBlock(key, parent, tokens)) with { InHost = true };
        foreach (StoredBlockFacts stored in Disk?.List(most) ?? [])
            blocks[stored.Key] = blocks.GetValueOrDefault(stored.Key, new CachedBlock(stored.Key, stored.Parent, stored.Tokens)) with { OnDisk = true, IsPinned = stored.IsPinned, Used = stored.Used };
        return [.. blocks.Values];
    }

    /// <summary>Evicts blocks from a tier, or from all. Those that somebody holds or keeps stay.</summary>
    /// <returns>How many copies went, and how many stayed.</returns>
    public (int Evicted, int Kept) Evict(IReadOnlyCollection<BlockKey> keys, Tier? from = null)
    {
        ArgumentNullException.ThrowIfNull(keys);
        int evicted = 0, kept = 0;
        foreach ((Tier tier, BlockPool? pool) in ((Tier, BlockPool?)[])[(Tier.Device, Device), (Tier.Host, Host)])
            foreach (BlockKey key in from is null || from == tier ? keys : [])
                if (pool?.TryDrop(key) == true)
                    evicted++;
                else if (pool?.Contains(key) == true)
                    kept++;
        if (from is not (null or Tier.Disk) || Disk is null)
            return (evicted, kept);
        int onDisk = keys.Count(Disk.Contains), gone = onDisk > 0 ? Disk.Evict(keys) : 0;
        return (evicted + gone, kept + Math.Max(0, onDisk - gone));
    }

    /// <summary>Waits until what was admitted is on the disk, or dropped.</summary>
    /// <returns>False when the time was over before.</returns>
    public bool Flush(TimeSpan patience) => _writeBack?.Flush(patience) ?? true;

    /// <summary>Writes what waits, closes the tiers and frees the memory. Sequences must be disposed before.</summary>
    public void Dispose()
    {
        _writeBack?.Flush(s_patienceAtEnd);
        _writeBack?.Dispose();
        _onboarder.Dispose();
        Disk?.Dispose();
        Host?.Dispose();
        Device.Dispose();
    }

    internal void Start(Onboarding onboarding) => _onboarder.Start(onboarding);

    /// <summary>Accounts for a request: to the process's metrics, and to counters beside the blocks on the disk.</summary>
    internal void Account(CacheUse use)
    {
        KvCacheMetrics.LookedUp(use);
        if (Disk is null)
            return;
        Disk.Count("lookup.tokens", use.Tokens);
        Disk.Count("hit.tokens.device", use.Device);
        Disk.Count("hit.tokens.host", use.Host);
        Disk.Count("hit.tokens.disk", use.Disk);
        foreach (Miss miss in use.Misses)
            Disk.Count($"miss.tokens.{miss.Reason}", miss.To - miss.From);
    }

    /// <summary>Tokens of a prompt were computed. The speed is remembered beside the blocks, for the next process to know from the start what it saves.</summary>
    public void Computed(int tokens, TimeSpan time)
    {
        Costs.Computed(tokens, time);
        Disk?.Count(_prefillTokens, tokens);
        Disk?.Count(_prefillTime, (long)time.TotalMicroseconds);
    }

    /// <summary>
    /// Copies registered blocks to the host tier, unless they are there or no block of the host's can be had. On all processors when there are many: memory that is touched for
    /// the first time takes much longer than the copy, above all in a virtual machine.
    /// </summary>
    internal void Offload(List<BlockLease> blocks)
    {
        if (Host is null)
            return;
        if (blocks.Count >= ManyBlocks)
            Parallel.ForEach(blocks, Offload);
        else
            blocks.ForEach(Offload);
    }

    void Offload(BlockLease block)
    {
        if (Host is null || Host.Contains(block.Key) || Host.TryAllocate() is not { } copy)
            return;
        long start = Stopwatch.GetTimestamp();
        if (Host.Layout.Codec == Layout.Codec)
            BlockCopy.Copy(block.Address, copy.Address, Layout.BlockBytes);
        else
            BlockTranscoder.Transcode(Layout, block.Address, Host.Layout, copy.Address);
        copy.Complete().Register(block.Key, block.Parent, block.Tokens).Dispose();
        Traffic.Moved(Tier.Device, Tier.Host, Host.Layout.BlockBytes, Stopwatch.GetElapsedTime(start));
    }

    /// <summary>A block was used: colder tiers should know, or they would evict what is so much in use that nobody asks them for it. To have been computed is no use yet.</summary>
    internal void Touch(BlockKey key, bool isNew)
    {
        if (!isNew)
            Host?.Use(key);
        Disk?.Use(key);
    }

    /// <summary>Asks for a block that memory has to be written to the disk, unless it is there; returns at once.</summary>
    public void Keep(BlockKey key)
    {
        if (Disk is { CanWrite: true } && !Disk.Contains(key))
            _writeBack!.Add(key);
    }
}
