using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.KvCache.Archive;

/// <summary>
/// Blocks as one stream, to be carried to another machine that runs the same model: a head, each block as a slot of the disk tier has it,
/// header and payload, and an end that says how many there are, so that a part of an archive is not taken for the whole. Where layers with
/// windows have blocks of their own, these follow as an archive of their own. What is read is
/// taken for hostile: a block has to be what its header says, and its key that of its tokens after its parent. What its keys and values are
/// worth, no check can tell: import what you would have computed yourself, or had computed by somebody whom you trust as much.
/// </summary>
public static class KvArchive
{
    /// <summary>The media type of an archive.</summary>
    public const string ContentType = "application/vnd.kvasir.kv-archive";

    /// <summary>An archive has at most so many blocks.</summary>
    public const int MostBlocks = 1 << 20;

    /// <summary>Writes the blocks that are still in some tier as they were computed; returns how many.</summary>
    /// <exception cref="ArgumentException">More than <see cref="MostBlocks"/>.</exception>
    public static async Task<int> Write(TieredKvCache cache, IReadOnlyCollection<BlockKey> keys, Stream stream,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(stream);
        if (keys.Count > MostBlocks)
            throw new ArgumentException($"{keys.Count:N0} blocks, and an archive has at most {MostBlocks:N0}", nameof(keys));
        IReadOnlyCollection<BlockKey> ofWindows = cache.WindowKeys(keys);
        int blocks = await WritePart(cache, keys, stream, cancellation);
        return cache.Windows is null ? blocks : blocks + await WritePart(cache.Windows, ofWindows, stream, cancellation);
    }

    static async Task<int> WritePart(TieredKvCache cache, IReadOnlyCollection<BlockKey> keys, Stream stream, CancellationToken cancellation)
    {
        SlotHeader header = HeaderOf(cache);
        ArchiveFrame frame = new(cache, header);
        await stream.WriteAsync(frame.Head(), cancellation);
        byte[] slot = new byte[header.Bytes + cache.Layout.BlockBytes];
        foreach (BlockKey key in keys)
        {
            if (!TryRead(cache, header, key, slot))
                continue;
            await stream.WriteAsync(slot, cancellation);
            frame.Add(slot);
        }
        await stream.WriteAsync(frame.End(), cancellation);
        return frame.Blocks;
    }

    /// <summary>
    /// Reads an archive, which is all that the stream has, into the host's memory, or the pool where there is none, and onto the disk.
    /// </summary>
    /// <exception cref="InvalidDataException">It is no archive, one of another model, damaged, or cut. Blocks that were read before stay:
    /// each proves itself.</exception>
    public static async Task<KvArchiveCounts> Read(TieredKvCache cache, Stream stream, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(stream);
        KvArchiveCounts counts = await ReadPart(cache, stream, isLast: cache.Windows is null, cancellation);
        return cache.Windows is null ? counts : counts + await ReadPart(cache.Windows, stream, isLast: true, cancellation);
    }

    static async Task<KvArchiveCounts> ReadPart(TieredKvCache cache, Stream stream, bool isLast, CancellationToken cancellation)
    {
        using ArchiveReader reader = new(cache, HeaderOf(cache), stream, MostBlocks);
        return await reader.Read(isLast, cancellation);
    }

    internal static SlotHeader HeaderOf(TieredKvCache cache) => new(cache.Layout, cache.Fingerprint, cache.Groups);

    /// <summary>Reads a block as it was computed, from the warmest tier that has it so.</summary>
    static unsafe bool TryRead(TieredKvCache cache, SlotHeader header, BlockKey key, byte[] slot)
    {
        using TierLease? lease = cache.TryRead(key);
        if (lease is not null)
        {
            Fill(slot, header, new BlockWrite(key, lease.Parent, lease.Tokens.ToArray(), (nint)lease.Address), cache.Layout);
            return true;
        }
        using NativeBuffer buffer = new((int)cache.Layout.StrideBytes);
        foreach (ITier tier in cache.Tiers.Where(tier => tier.IsLossless))
            if (tier.Describe(key) is { } found && TryLoad(cache, tier, found, buffer))
            {
                Fill(slot, header, new BlockWrite(key, found.Parent, found.Tokens, (nint)buffer.Address), cache.Layout);
                return true;
            }
        return false;
    }

    static unsafe bool TryLoad(TieredKvCache cache, ITier tier, TierBlock found, NativeBuffer buffer)
    {
        BlockLoad load = new(tier.Tier, cache.Groups);
        LoadedBlock block = new(found.Key, found.Parent, found.Tokens, found.Place, buffer.Address);
        load.Begin([block]);
        tier.Load(load);
        load.Wait(cache.Groups.Length - 1, Timeout.InfiniteTimeSpan); // the buffer is written to until then
        return block.Outcome == ReadOutcome.Ok;
    }

    static unsafe void Fill(byte[] slot, SlotHeader header, BlockWrite block, KvLayout layout)
    {
        new ReadOnlySpan<byte>((void*)block.Payload, (int)layout.BlockBytes).CopyTo(slot.AsSpan(header.Bytes));
        header.Write(slot.AsSpan(0, header.Bytes), block, slot.AsSpan(header.Bytes));
    }
}
