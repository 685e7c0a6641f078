using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.KvCache.Tiers;

/// <summary>
/// Blocks as one stream, to be carried to another machine that runs the same model: a head, each block as a slot of the disk tier has it, header and payload, and an end that says
/// how many there are, so that a part of an archive is not taken for the whole. What is read is taken for hostile: a block has to be what its header says, and its key that of its
/// tokens after its parent. What its keys and values are worth, no check can tell: import what you would have computed yourself, or had computed by somebody whom you trust as much.
/// </summary>
public static class KvArchive
{
    /// <summary>The media type of an archive.</summary>
    public const string ContentType = "application/vnd.kvasir.kv-archive";

    /// <summary>An archive has at most so many blocks.</summary>
    public const int MostBlocks = 1 << 20;

    /// <summary>Writes the blocks that are still in some tier as they were computed; returns how many.</summary>
    /// <exception cref="ArgumentException">More than <see cref="MostBlocks"/>.</exception>
    public static async Task<int> Write(TieredKvCache cache, IReadOnlyCollection<BlockKey> keys, Stream stream, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(stream);
        if (keys.Count > MostBlocks)
            throw new ArgumentException($"{keys.Count:N0} blocks, and an archive has at most {MostBlocks:N0}", nameof(keys));
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

    /// <summary>Reads an archive, which is all that the stream has, into the host's memory, or the pool where there is none, and onto the disk.</summary>
    /// <exception cref="InvalidDataException">It is no archive, one of another model, damaged, or cut. Blocks that were read before stay: each proves itself.</exception>
    public static Task<KvArchiveCounts> Read(TieredKvCache cache, Stream stream, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(stream);
        return new ArchiveReader(cache, HeaderOf(cache), stream, MostBlocks).Read(cancellation);
    }

    internal static SlotHeader HeaderOf(TieredKvCache cache) => new(cache.Layout, cache.Fingerprint, cache.Groups);

    static unsafe bool TryRead(TieredKvCache cache, SlotHeader header, BlockKey key, byte[] slot)
    {
        if ((Ready(cache.Device.TryRead(key)) ?? (cache.Host is { } host && host.Layout.Codec == cache.Layout.Codec ? Ready(host.TryRead(key)) : null)) is { } lease)
            using (lease)
            {
                new ReadOnlySpan<byte>(lease.Address, (int)cache.Layout.BlockBytes).CopyTo(slot.AsSpan(header.Bytes));
                header.Write(slot.AsSpan(0, header.Bytes), new BlockWrite(key, lease.Parent, lease.Tokens.ToArray(), 0), slot.AsSpan(header.Bytes));
                return true;
            }
        return cache.Disk is { } disk && disk.TryFind(key, out int place) && disk.Facts(key) is { } facts && TryReadDisk(cache, disk, place, facts, header, slot);
    }

    /// <summary>A block whose content is there; one that is on its way is as good as none.</summary>
    static BlockLease? Ready(BlockLease? lease)
    {
        if (lease is null || (lease.Load is null && !lease.HasFailed))
            return lease;
        lease.Dispose();
        return null;
    }

    static unsafe bool TryReadDisk(TieredKvCache cache, DiskTier disk, int place, StoredBlockFacts facts, SlotHeader header, byte[] slot)
    {
        using NativeBuffer buffer = new((int)cache.Layout.StrideBytes);
        for (int group = 0; group < cache.Groups.Length; group++)
            if (disk.Read(place, facts.Key, facts.Parent, facts.Tokens, group, buffer.Address) != ReadOutcome.Ok)
                return false;
        buffer.Span[..(int)cache.Layout.BlockBytes].CopyTo(slot.AsSpan(header.Bytes));
        header.Write(slot.AsSpan(0, header.Bytes), new BlockWrite(facts.Key, facts.Parent, facts.Tokens, 0), slot.AsSpan(header.Bytes));
        return true;
    }
}
