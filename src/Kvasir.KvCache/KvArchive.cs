using System.Buffers.Binary;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.KvCache.Tiers;

/// <summary>
/// Blocks as one stream, to be carried to another machine that runs the same model: a head, and each block as a slot of the disk tier has it, header and payload.
/// What is read is taken for hostile: a block has to be what its header says, and its key that of its tokens after its parent. What its keys and values are worth, no check can
/// tell: import what you would have computed yourself, or had computed by somebody whom you trust as much.
/// <code>
///   0  magic "KVASIRAR"    8  version (32 bits)    12  header bytes (32)    16  fingerprint    48  payload bytes (64)    56  blocks (32), zeros (32)
/// </code>
/// </summary>
public static class KvArchive
{
    /// <summary>The media type of an archive.</summary>
    public const string ContentType = "application/vnd.kvasir.kv-archive";

    const ulong Magic = 0x5241_5249_5341_564B; // "KVASIRAR"
    const uint Version = 1;
    const int HeadBytes = 64, MostBlocks = 1 << 20;

    /// <summary>Writes the blocks that are still in some tier as they were computed; returns how many.</summary>
    public static async Task<int> Write(TieredKvCache cache, IReadOnlyCollection<BlockKey> keys, Stream stream, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(stream);
        SlotHeader header = HeaderOf(cache);
        BlockKey[] present = [.. keys.Where(key => cache.Device.Contains(key) || cache.Host?.Contains(key) == true || cache.Disk?.Contains(key) == true)];
        await stream.WriteAsync(Head(cache, header, present.Length), cancellation);
        byte[] slot = new byte[header.Bytes + cache.Layout.BlockBytes];
        int written = 0;
        foreach (BlockKey key in present)
        {
            if (!TryRead(cache, header, key, slot))
                continue;
            await stream.WriteAsync(slot, cancellation);
            written++;
        }
        return written;
    }

    /// <summary>Reads an archive into the host's memory, or the pool where there is none, and onto the disk; returns how many blocks it has, and how many of them are new.</summary>
    /// <exception cref="InvalidDataException">It is no archive, one of another model, or damaged. What was read before stays.</exception>
    public static async Task<(int Blocks, int Imported)> Read(TieredKvCache cache, Stream stream, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(stream);
        SlotHeader header = HeaderOf(cache);
        byte[] head = new byte[HeadBytes], slot = new byte[header.Bytes + cache.Layout.BlockBytes];
        await Fill(stream, head, "its head", cancellation);
        CheckHead(head, cache, header);
        int blocks = 0, imported = 0;
        for (; await TryFill(stream, slot, $"block {blocks}", cancellation); blocks++)
            if (blocks == MostBlocks)
                throw new InvalidDataException($"the archive has more blocks than {MostBlocks:N0}");
            else if (Take(cache, header, slot, blocks))
                imported++;
        return (blocks, imported);
    }

    static SlotHeader HeaderOf(TieredKvCache cache) => new(cache.Layout, cache.Fingerprint, cache.Groups);

    static byte[] Head(TieredKvCache cache, SlotHeader header, int blocks)
    {
        byte[] head = new byte[HeadBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(head, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(12), header.Bytes);
        cache.Fingerprint.Digest.CopyTo(head.AsSpan(16));
        BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(48), cache.Layout.BlockBytes);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(56), blocks);
        return head;
    }

    static void CheckHead(ReadOnlySpan<byte> head, TieredKvCache cache, SlotHeader header)
    {
        if (BinaryPrimitives.ReadUInt64LittleEndian(head) != Magic)
            throw new InvalidDataException("this is no archive of keys and values: it does not begin with KVASIRAR");
        if (BinaryPrimitives.ReadUInt32LittleEndian(head[8..]) is var version && version != Version)
            throw new InvalidDataException($"the archive's version is {version}, expected {Version}");
        if (new Digest(head.Slice(16, Digest.Size)) is var digest && digest != cache.Fingerprint.Digest)
            throw new InvalidDataException($"the archive is of another model: fingerprint {digest}, expected {cache.Fingerprint}");
        if (BinaryPrimitives.ReadInt32LittleEndian(head[12..]) != header.Bytes || BinaryPrimitives.ReadInt64LittleEndian(head[48..]) != cache.Layout.BlockBytes)
            throw new InvalidDataException("the archive's blocks have another size");
    }

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

    /// <summary>Checks a block and takes it in; false when it is known already, or there is no room.</summary>
    static unsafe bool Take(TieredKvCache cache, SlotHeader header, ReadOnlySpan<byte> slot, int number)
    {
        if (header.Read(slot) is not { } block)
            throw new InvalidDataException($"block {number} of the archive is damaged, or its key is not that of its tokens");
        bool isNew = false;
        BlockPool pool = cache.Host is { } host && host.Layout.Codec == cache.Layout.Codec ? host : cache.Device;
        if (!pool.Contains(block.Key) && pool.TryAllocate() is { } copy)
        {
            slot[header.Bytes..].CopyTo(new Span<byte>(copy.Address, (int)cache.Layout.BlockBytes));
            copy.Complete().Register(block.Key, block.Parent, block.Tokens).Dispose();
            isNew = true;
        }
        cache.Keep(block.Key);
        return isNew;
    }

    static async Task Fill(Stream stream, byte[] bytes, string what, CancellationToken cancellation)
    {
        if (!await TryFill(stream, bytes, what, cancellation))
            throw new InvalidDataException($"the archive ends before {what}");
    }

    static async Task<bool> TryFill(Stream stream, byte[] bytes, string what, CancellationToken cancellation)
    {
        int read = await stream.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellation);
        return read == bytes.Length || (read == 0 ? false : throw new InvalidDataException($"the archive ends within {what}"));
    }
}
