using Kvasir.Inference.Model;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Streaming;
using Kvasir.KvCache.Tiers;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.Inference;

/// <summary>How large the pool is, and how sequences may be longer than it.</summary>
public sealed partial class InferenceEngine
{
    const int MostRingStretches = 8; // in each half: more hide no more of a disk's latency
    const int ShareOfRing = 8; // of the pool's bytes at most

    /// <summary>Blocks of the pool and, when it is smaller than the context, how the rest is streamed.</summary>
    (int DeviceBlocks, StreamingOptions? Streaming) PoolOf()
    {
        int context = Layout.BlocksFor(Context) + 1; // one more, of which a tail is copied
        if (Options.KvDeviceBytes is not { } bytes)
            return (checked((context - 1) * Options.Sequences + 1
                + (Options.KvRetention is null or { ReadsPages: true } ? 0 : BlocksOfView(Layout, Context))), null);
        if (bytes / Layout.StrideBytes is var blocks && blocks >= context)
            return ((int)Math.Min(blocks, int.MaxValue / Layout.BlockTokens), null);
        if (Options.KvReuse == KvReuse.Off || (HostBlocks == 0 && Options.KvDisk is null))
            throw new ArgumentException($"KV device bytes: {bytes:N0}, which hold {Math.Max(0, blocks) * Layout.BlockTokens:N0} tokens, "
                + $"expected at least {context * Layout.StrideBytes:N0} for a context of {Context:N0}, or "
                + (Options.KvReuse == KvReuse.Off ? "the cache" : $"a host or disk tier {WhyNoHost}from which the rest is streamed"));
        long ring = RingBytes(bytes), resident = ResidentBlocks;
        blocks = (bytes - ring) / Layout.StrideBytes;
        if (blocks < resident)
            throw new ArgumentException($"KV device bytes: {bytes:N0}, expected at least "
                + $"{resident * Layout.StrideBytes + RingBytes(0):N0}: what a pass of {PassTokens:N0} tokens writes"
                + (ring > 0 ? ", and the ring through which the rest comes from the disk" : ""));
        CheckRoom(context - blocks);
        return ((int)blocks, new StreamingOptions
        {
            Blocks = (int)Math.Min(int.MaxValue / Layout.BlockTokens, (long)context * Math.Max(2, Options.Sequences)),
            Resident = (int)resident, Disk = Options.KvDisk, RingBytes = ring,
        });
    }

    /// <summary>
    /// The context that a model can have in the tiers of some options: what it was trained for or, if less, what they have room for beside
    /// a pool for <see cref="EngineOptions.DefaultContext"/>, from which more is streamed.
    /// </summary>
    public static int ContextFor(LanguageModel model, EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        KvLayout layout = LayoutOf(model, options);
        long pool = options.KvDeviceBytes / layout.StrideBytes * layout.BlockTokens ?? EngineOptions.DefaultContext;
        pool -= pool / ShareOfRing + 2 * layout.BlockTokens; // for the ring, the block of which a tail is copied, and what is rounded off
        bool isLossless = HostTier.Stored(layout, options.KvHostCodec) == layout;
        long room = options.KvReuse == KvReuse.Off ? 0
            : (isLossless ? options.KvHostBytes / layout.StrideBytes : 0)
                + (options.KvDisk is { } disk ? disk.MaxBytes / StreamFile.BytesFor(layout, 1) : 0);
        long context = room > 0 ? pool + room * layout.BlockTokens : EngineOptions.DefaultContext;
        return (int)Math.Clamp(context, 1, model.Config.Context);
    }

    int PassTokens => Math.Min(Options.PrefillChunk, Context);

    /// <summary>What a pass writes, its first and last block in part, and a block of which a tail is copied.</summary>
    int ResidentBlocks => Layout.BlocksFor(PassTokens) + 2;

    /// <summary>Blocks of the host that can be read in place.</summary>
    long HostBlocks => HostTier.Stored(Layout, Options.KvHostCodec) == Layout ? Options.KvHostBytes / Layout.StrideBytes : 0;

    string WhyNoHost => HostBlocks == 0 && Options.KvHostBytes > 0 ? $"({Options.KvHostCodec?.Name} in the host would change bits) " : "";

    long DiskBlocks => Options.KvDisk is { } disk ? disk.MaxBytes / StreamFile.BytesFor(Layout, 1) : 0;

    long RingBytes(long poolBytes)
    {
        if (Options.KvDisk is null)
            return 0;
        long stretch = 2L * StreamedPass.BlocksPerStretch(Layout) * new LayerSlices(Layout, 1).LargestStride;
        return Math.Clamp(poolBytes / ShareOfRing, stretch, MostRingStretches * stretch);
    }

    /// <exception cref="ArgumentException">The tiers behind the pool have no room for so many blocks.</exception>
    void CheckRoom(long blocks)
    {
        if (blocks - HostBlocks - DiskBlocks is > 0 and var missing)
            throw new ArgumentException($"context: {Context:N0} tokens, of which {(blocks - missing) * Layout.BlockTokens:N0} behind the "
                + $"pool have room: {HostBlocks * Layout.StrideBytes:N0} bytes of host {WhyNoHost}and "
                + $"{Options.KvDisk?.MaxBytes ?? 0:N0} of disk are {missing * Layout.StrideBytes:N0} too few");
    }
}
