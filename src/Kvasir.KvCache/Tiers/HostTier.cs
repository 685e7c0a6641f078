using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Eviction;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Tiers;

/// <summary>The host's memory behind the pool: a second arena, perhaps in fewer bits. Evicts by hit density (decision 7).</summary>
public sealed unsafe class HostTier : ITier
{
    readonly KvLayout _layout; // of the pool's blocks
    readonly LoadThreads _threads;

    /// <param name="layout">Shape of the pool's blocks.</param>
    /// <param name="arena">The memory, for blocks of that shape in the tier's codec; it is the tier's from now on.</param>
    /// <param name="codec">How keys and values are stored; null as in the pool, and any other way is lossy.</param>
    /// <param name="time">The clock; null takes the system's.</param>
    public HostTier(KvLayout layout, IBlockArena arena, IKvCodec? codec, TimeProvider? time = null)
    {
        _layout = layout;
        Pool = new BlockPool(Stored(layout, codec), arena, new HitDensity(), time, Tier);
        _threads = new LoadThreads(Tier, Bring);
    }

    /// <summary>The blocks.</summary>
    public BlockPool Pool { get; }

    /// <inheritdoc/>
    public Tier Tier => Tier.Host;

    /// <inheritdoc/>
    public bool IsLossless => Pool.Layout.CodecName == _layout.CodecName;

    /// <inheritdoc/>
    public bool IsFar => false;

    /// <inheritdoc/>
    public bool CanWrite => true;

    /// <inheritdoc/>
    public Admission Admission => Admission.WhenFull;

    /// <inheritdoc/>
    public string? Problem => null;

    /// <summary>Shape of the blocks that a host tier stores of a pool.</summary>
    public static KvLayout Stored(KvLayout layout, IKvCodec? codec)
    {
        ArgumentNullException.ThrowIfNull(layout);
        return codec is null || codec.Name == layout.CodecName ? layout : new KvLayout(layout.BlockTokens, codec, layout.Layers);
    }

    /// <inheritdoc/>
    public TierContent Content() => Pool.Content();

    /// <inheritdoc/>
    public ValueTask<TierFind> Find(PrefixQuery query, CancellationToken cancellation) => new(Pool.Find(query));

    /// <inheritdoc/>
    public void Load(BlockLoad load)
    {
        ArgumentNullException.ThrowIfNull(load);
        foreach (LoadedBlock block in load.Blocks)
            if (Pool.TryFind(block.Key, block.Tokens) is { } source)
                block.Source = source;
            else
                load.Fail(block, ReadOutcome.Gone);
        _threads.Start(load);
    }

    /// <inheritdoc/>
    public int Write(ReadOnlySpan<BlockWrite> blocks)
    {
        int written = 0;
        foreach (BlockWrite block in blocks)
        {
            if (Pool.Contains(block.Key) || Pool.TryAllocate() is not { } copy)
                continue;
            if (IsLossless)
                Pool.Arena.Write(copy.Id, 0, (byte*)block.Payload, _layout.BlockBytes);
            else
                BlockTranscoder.Transcode(_layout, (byte*)block.Payload, Pool.Layout, Pool.Address(copy));
            copy.Complete().Register(block.Key, block.Parent, block.Tokens).Dispose();
            written++;
        }
        return written;
    }

    /// <inheritdoc/>
    public bool Contains(BlockKey key) => Pool.Contains(key);

    /// <inheritdoc/>
    public void Touch(BlockKey key) => Pool.Use(key);

    /// <inheritdoc/>
    public TierLease? TryRead(BlockKey key) => TierLease.TryRead(Pool, key);

    /// <inheritdoc/>
    public (int Evicted, int Kept) Evict(IReadOnlyCollection<BlockKey> keys) => Pool.Drop(keys);

    /// <inheritdoc/>
    public IReadOnlyList<TierBlock> List(int most) => Pool.ListBlocks(most);

    /// <inheritdoc/>
    public TierBlock? Describe(BlockKey key) => Pool.Describe(key);

    /// <inheritdoc/>
    public IReadOnlyDictionary<BlockKey, DateTimeOffset> FindEvictions(IReadOnlyCollection<BlockKey> keys) => Pool.EvictionsOf(keys);

    /// <summary>Ends the threads and frees the memory.</summary>
    public void Dispose()
    {
        _threads.Dispose();
        Pool.Dispose();
    }

    void Bring(BlockLoad load, LoadedBlock block, int group)
    {
        if (block.Source is BlockLease source)
            Copy(source, block.Destination, load.Groups[group]);
        load.Done(block, group);
    }

    void Copy(BlockLease source, byte* destination, LayerGroup part)
    {
        if (IsLossless)
            Pool.Arena.Read(source.Id, part.Offset, destination + part.Offset, part.Bytes);
        else if (part.FirstLayer == 0) // one piece: its layers lie elsewhere in the other codec's block
            BlockTranscoder.Transcode(Pool.Layout, Pool.Address(source), _layout, destination);
    }
}
