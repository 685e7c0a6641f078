using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Streaming;
using Kvasir.KvCache.Tiers;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.KvCache;

/// <summary>Sizes and settings of a cache.</summary>
public sealed record KvCacheOptions
{
    /// <summary>Two seconds: less than anybody minds, and more than a disk takes that does anything at all.</summary>
    public static readonly TimeSpan DefaultLookupDeadline = TimeSpan.FromSeconds(2);

    /// <summary>Two seconds: as long as somebody waits for a program that has answered.</summary>
    public static readonly TimeSpan DefaultCloseDeadline = TimeSpan.FromSeconds(2);

    /// <summary>Blocks of the pool that attention reads; at least 1.</summary>
    public required int DeviceBlocks { get; init; }

    /// <summary>Makes the memory of pools, for so many blocks of a shape, or fewer; null takes the host's.</summary>
    public Func<KvLayout, int, IBlockArena>? NewArena { get; init; }

    /// <summary>
    /// Blocks of the pool of the layers with windows, where the layout has them apart; at least 1 there, and what sequences see at a time.
    /// </summary>
    public int WindowBlocks { get; init; }

    /// <summary>Bytes of the host tier of the layers with windows, where the layout has them apart; beside <see cref="HostBytes"/>.</summary>
    public long WindowHostBytes { get; init; }

    /// <summary>Bytes of the host tier; less than one block is none.</summary>
    public long HostBytes { get; init; }

    /// <summary>
    /// How the host tier stores blocks; null as the pool does. Any other is lossy: what comes back is not what was computed.
    /// </summary>
    public IKvCodec? HostCodec { get; init; }

    /// <summary>The disk tier; null for none.</summary>
    public DiskTierOptions? Disk { get; init; }

    /// <summary>
    /// Makes further tiers of a pool's blocks, which stand behind the others: those of a shared store, or a program's own.
    /// </summary>
    public IReadOnlyList<Func<KvLayout, Fingerprint, ITier>> FurtherTiers { get; init; } = [];

    /// <summary>How sequences may be longer than the pool; null when none is.</summary>
    internal StreamingOptions? Streaming { get; init; }

    /// <summary>Makes what other machines bring to a cache; null for none.</summary>
    internal Func<TieredKvCache, IPeer>? Peer { get; init; }

    /// <summary>
    /// How long a request waits at most for tiers to say what they have of its prompt. Others compute meanwhile, and a tier that is late
    /// time and again is left alone for a while.
    /// </summary>
    public TimeSpan LookupDeadline { get; init; } = DefaultLookupDeadline;

    /// <summary>
    /// How long closing the cache may take. What is not written by then is dropped, however slow the disk; whatever still writes ends by
    /// itself, or with the process.
    /// </summary>
    public TimeSpan CloseDeadline { get; init; } = DefaultCloseDeadline;

    /// <summary>The model's name, for those who look at the disk.</summary>
    public string ModelName { get; init; } = "";

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
