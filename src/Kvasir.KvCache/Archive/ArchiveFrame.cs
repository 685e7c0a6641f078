using System.Buffers.Binary;
using System.IO.Hashing;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.KvCache.Archive;

/// <summary>
/// What stands before and after the blocks of an archive, and the checksum over all of it. Only the end says how many blocks there are:
/// whoever writes knows it no sooner, since blocks may give way meanwhile. Little-endian:
/// <code>
///   head   0  magic "KVASIRAR"    8  version (32 bits)    12  header bytes (32)    16  fingerprint    48  payload bytes (64)    56  zeros
/// end 0 magic "KVASIREN" 8 blocks (64) 16 XxHash3 (64) of the head, of each block's header, and of the end's first 16 bytes
/// </code>
/// </summary>
sealed class ArchiveFrame(TieredKvCache cache, SlotHeader header)
{
    public const int HeadBytes = 64, EndBytes = 24;

    const ulong HeadMagic = 0x5241_5249_5341_564B, EndMagic = 0x4E45_5249_5341_564B; // "KVASIRAR", "KVASIREN"
    const uint Version = 2; // 1 had no end
    const int CountAt = 8, SumAt = 16;

    readonly XxHash3 _sum = new();

    /// <summary>Blocks so far.</summary>
    public int Blocks { get; private set; }

    /// <summary>The head, which begins the checksum.</summary>
    public byte[] Head()
    {
        byte[] head = new byte[HeadBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(head, HeadMagic);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(12), header.Bytes);
        cache.Fingerprint.Digest.CopyTo(head.AsSpan(16));
        BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(48), cache.Layout.BlockBytes);
        _sum.Append(head);
        return head;
    }

    /// <summary>Checks a head, and begins the checksum with it.</summary>
    /// <exception cref="InvalidDataException">It is of something else.</exception>
    public void CheckHead(ReadOnlySpan<byte> head)
    {
        if (BinaryPrimitives.ReadUInt64LittleEndian(head) != HeadMagic)
            throw new InvalidDataException("this is no archive of keys and values: it does not begin with KVASIRAR");
        if (BinaryPrimitives.ReadUInt32LittleEndian(head[8..]) is var version && version != Version)
            throw new InvalidDataException($"the archive's version is {version}, expected {Version}");
        if (new Digest(head.Slice(16, Digest.Size)) is var digest && digest != cache.Fingerprint.Digest)
            throw new InvalidDataException($"the archive is of another model: fingerprint {digest}, expected {cache.Fingerprint}");
        if (BinaryPrimitives.ReadInt32LittleEndian(head[12..]) != header.Bytes
            || BinaryPrimitives.ReadInt64LittleEndian(head[48..]) != cache.Layout.BlockBytes)
            throw new InvalidDataException("the archive's blocks have another size");
        _sum.Append(head);
    }

    /// <summary>Counts a block in. Its header has the checksums of its keys and values.</summary>
    public void Add(ReadOnlySpan<byte> slot)
    {
        _sum.Append(slot[..header.Bytes]);
        Blocks++;
    }

    /// <summary>The end of what was counted in.</summary>
    public byte[] End()
    {
        byte[] end = new byte[EndBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(end, EndMagic);
        BinaryPrimitives.WriteInt64LittleEndian(end.AsSpan(CountAt), Blocks);
        _sum.Append(end.AsSpan(0, SumAt));
        BinaryPrimitives.WriteUInt64LittleEndian(end.AsSpan(SumAt), _sum.GetCurrentHashAsUInt64());
        return end;
    }

    /// <summary>Whether this begins an end, and not another block.</summary>
    public static bool IsEnd(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= sizeof(ulong) && BinaryPrimitives.ReadUInt64LittleEndian(bytes) == EndMagic;

    /// <summary>What is wrong with an end, if it is not that of the blocks counted in; null when nothing is.</summary>
    public string? ProblemOf(ReadOnlySpan<byte> end)
    {
        long said = BinaryPrimitives.ReadInt64LittleEndian(end[CountAt..]);
        if (said != Blocks)
            return $"the archive's end says {said:N0} blocks, and {Blocks:N0} came";
        return end.SequenceEqual(End()) ? null : "the archive's end is not that of its blocks: the checksum differs";
    }
}
