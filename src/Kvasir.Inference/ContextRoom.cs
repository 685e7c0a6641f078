using Kvasir.Formats.Models;
using Kvasir.Inference.Model;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Streaming;
using Kvasir.KvCache.Tiers;

namespace Kvasir.Inference;

/// <summary>
/// What of a context lies where: in the pool, in the host's memory behind it, on the disk; and why there is no room, where there is none.
/// Engines are set up by it, and <c>estimate</c> shows it.
/// </summary>
public sealed class ContextRoom
{
    const int MostRingStretches = 8; // in each half: more hide no more of a disk's latency
    const int ShareOfRing = 8; // of the pool's bytes at most
    const int BlocksAtRest = 8; // one for each sequence at rest: its last, which is not full

    readonly EngineOptions _options;
    readonly long _free; // bytes of the file system that the disk's blocks may take

    ContextRoom(ModelSpec model, EngineOptions options, bool isHere)
    {
        _options = options;
        Context = InferenceEngine.ValidContext(model, options);
        Layout = InferenceEngine.LayoutOf(model, options);
        Streams = options.KvDeviceBytes < PoolBytes;
        _free = isHere && Streams && options.KvDisk is { } disk ? disk.FreeBytes() : long.MaxValue; // who needs none waits for no disk
        RingBytes = Streams && options.KvDisk is not null ? RingOf(options.KvDeviceBytes!.Value) : 0;
        Capacity = new TierBlocks(PoolCapacity(), HostCapacity(), DiskCapacity());
        Lies = Capacity.Fill(Blocks);
    }

    /// <summary>Tokens of the context.</summary>
    public int Context { get; }

    /// <summary>Where keys and values lie in a block.</summary>
    public KvLayout Layout { get; }

    /// <summary>
    /// Blocks of the pool of layers with windows, where they have blocks of their own: for each of <see cref="EngineOptions.KvWindows"/>
    /// sequences what its tokens see, for one pass what it writes, and some that sequences at rest hold. 0 where blocks hold all layers.
    /// </summary>
    public int WindowBlocks => Layout.Windowed is null ? 0 : (int)Math.Min(int.MaxValue / Layout.BlockTokens, Math.Min(
        Blocks * Math.Max(Windows, _options.Sequences),
        (Layout.BlocksFor(Layout.Windowed.LongestWindow) + 1) * (long)Windows + Layout.BlocksFor(PassTokens) + BlocksAtRest));

    /// <summary>Bytes of that pool.</summary>
    public long WindowBytes => WindowBlocks * (Layout.Windowed?.StrideBytes ?? 0);

    /// <summary>Of the host tier's bytes those of layers with windows: the share that they have of a pool for the context.</summary>
    public long WindowHostBytes => (long)(_options.KvHostBytes * ((double)WindowBytes / PoolBytes));

    /// <summary>Bytes of the pool for one sequence at full context: the least of <see cref="EngineOptions.KvDeviceBytes"/> without streaming.</summary>
    public long PoolBytes => Blocks * Layout.StrideBytes + WindowBytes;

    /// <summary>Whether the pool is too small for the context, so that a part of a sequence would be read from outside.</summary>
    public bool Streams { get; }

    /// <summary>Bytes of the pool that are the ring's, through which blocks come from the disk.</summary>
    public long RingBytes { get; }

    /// <summary>
    /// Blocks that there is room for: in the pool beside the ring, in the host where they can be read in place, on the disk.
    /// </summary>
    public TierBlocks Capacity { get; }

    /// <summary>Blocks that a sequence takes at full context: one more, of which a tail is copied.</summary>
    public long Blocks => Layout.BlocksFor(Context) + 1;

    /// <summary>Where they lie, in a sequence that has the tiers for itself.</summary>
    public TierBlocks Lies { get; }

    /// <summary>Blocks of it for which there is no room.</summary>
    public long Missing => Blocks - Lies.All;

    /// <summary>Bytes of the stream's file that a block takes.</summary>
    public long DiskBlockBytes => StreamFile.BytesFor(Layout, 1);

    /// <summary>The longest context that has room.</summary>
    public long LongestContext => Math.Max(0, Capacity.All - 1) * Layout.BlockTokens;

    /// <summary>
    /// Blocks that a sequence needs in the pool however long it is: what a pass writes, and one of which a tail is copied.
    /// </summary>
    public int Resident => Layout.BlocksFor(PassTokens) + 2;

    /// <summary>Why an engine cannot have the context, in one line that says which tier is too small and by how much; else null.</summary>
    public string? Problem => !Streams ? null
        : _options.KvReuse == KvReuse.Off || (Capacity.Host == 0 && _options.KvDisk is null) ? NothingBehindThePool()
        : Capacity.Pool < Resident ? PoolTooSmall()
        : Missing == 0 ? null
        : IsShortOfFree ? FreeTooSmall()
        : TiersTooSmall();

    int Windows => _options.KvWindows ?? _options.Sequences;

    int PassTokens => Math.Min(_options.PrefillChunk, Context);

    bool IsShortOfFree => _options.KvDisk is { } disk && _free < disk.MaxBytes
        && Blocks - Lies.Pool - Lies.Host <= disk.MaxBytes / DiskBlockBytes;

    /// <summary>What a model's context takes of tiers of some sizes.</summary>
    /// <param name="model">The model; its weights are not needed.</param>
    /// <param name="options">The sizes.</param>
    /// <exception cref="ArgumentException">An option is out of its range; the message names it.</exception>
    public static ContextRoom Of(ModelSpec model, EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        return new ContextRoom(model, options, isHere: false);
    }

    /// <summary>The same, with a disk of which no more can be taken than is free on it now.</summary>
    /// <inheritdoc cref="Of"/>
    public static ContextRoom Here(ModelSpec model, EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        return new ContextRoom(model, options, isHere: true);
    }

    long PoolCapacity() => _options.KvDeviceBytes is { } bytes
        ? Math.Clamp((bytes - WindowBytes - RingBytes) / Layout.StrideBytes, 0, int.MaxValue / Layout.BlockTokens) : Blocks;

    long HostCapacity() => _options.KvReuse == KvReuse.Off || HostTier.Stored(Layout, _options.KvHostCodec) != Layout ? 0
        : (_options.KvHostBytes - WindowHostBytes) / Layout.StrideBytes;

    long DiskCapacity() => _options.KvReuse == KvReuse.Off || _options.KvDisk is not { } disk ? 0
        : Math.Min(disk.MaxBytes, _free) / DiskBlockBytes;

    long RingOf(long poolBytes)
    {
        long stretch = 2L * StreamedPass.BlocksPerStretch(Layout) * new LayerSlices(Layout, 1).LargestStride;
        return Math.Clamp(poolBytes / ShareOfRing, stretch, MostRingStretches * stretch);
    }

    string NothingBehindThePool() =>
        $"KV device bytes: {_options.KvDeviceBytes:N0}, which hold {Capacity.Pool * Layout.BlockTokens:N0} tokens, "
        + $"expected at least {PoolBytes:N0} for a context of {Context:N0}, or "
        + (_options.KvReuse == KvReuse.Off ? "the cache" : $"a host or disk tier {WhyNoHost}from which the rest is streamed");

    string PoolTooSmall() => $"KV device bytes: {_options.KvDeviceBytes:N0}, expected at least "
        + $"{WindowBytes + Resident * Layout.StrideBytes + (RingBytes > 0 ? RingOf(0) : 0):N0}: what a pass of {PassTokens:N0} tokens writes"
        + (WindowBytes > 0 ? $", {WindowBytes:N0} of layers with windows" : "")
        + (RingBytes > 0 ? ", and the ring through which the rest comes from the disk" : "");

    string FreeTooSmall() => $"{_options.KvDisk!.Folder}: {_free:N0} bytes may be taken of what is free, expected "
        + $"{(Blocks - Lies.Pool - Lies.Host) * DiskBlockBytes:N0}: what a context of {Context:N0} tokens takes behind pool and host";

    string TiersTooSmall() => $"context: {Context:N0} tokens, of which {(Lies.Host + Lies.Disk) * Layout.BlockTokens:N0} behind the "
        + $"pool have room: {Capacity.Host * Layout.StrideBytes:N0} bytes of host {WhyNoHost}and "
        + $"{_options.KvDisk?.MaxBytes ?? 0:N0} of disk are {Missing * Layout.StrideBytes:N0} too few";

    string WhyNoHost => Capacity.Host == 0 && _options.KvHostBytes > 0 && _options.KvHostCodec is { } codec
        ? $"({codec.Name} in the host would change bits) " : "";
}
