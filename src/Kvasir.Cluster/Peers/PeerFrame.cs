using System.Buffers.Binary;
using System.IO.Hashing;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Cluster.Peers;

/// <summary>What a frame says.</summary>
enum FrameKind : uint
{
    /// <summary>Who speaks; the first frame of both.</summary>
    Hello = 1,

    /// <summary>That the asker knows the cluster's secret.</summary>
    Proof,

    /// <summary>That nothing will be answered, and why; the last frame.</summary>
    Refusal,

    /// <summary>A sign of life, and how many tokens of prompts wait.</summary>
    Pulse,

    /// <summary>A prompt, and which of its blocks are wanted.</summary>
    Prompt,

    /// <summary>Nobody wants a prompt's blocks any more.</summary>
    Cancel,

    /// <summary>Which blocks of a prompt, that its asker has, would be computed again otherwise.</summary>
    Need,

    /// <summary>A block.</summary>
    Block,

    /// <summary>A block that does not come.</summary>
    Gone,

    /// <summary>All of a prompt's blocks that will come have come.</summary>
    End,
}

/// <summary>
/// The head of a frame, before its body. Little-endian:
/// <code>
///  0  kind (32 bits)     8  index: of a block (32), bit 31: it was computed for this prompt   16  XxHash3 of the body, seeded by what
///  4  load (32)         12  bytes of the body (32)                                                names it (64)
/// </code>
/// A load is numbered by who receives its blocks.
/// </summary>
/// <param name="Kind">What it says.</param>
/// <param name="Load">The load that it is about.</param>
/// <param name="Index">The block that it is about, if it is about one.</param>
/// <param name="IsComputed">Whether that was computed for this prompt.</param>
/// <param name="Bytes">Bytes of the body.</param>
/// <param name="Checksum">Of the body.</param>
readonly record struct PeerFrame(FrameKind Kind, uint Load, int Index, bool IsComputed, int Bytes, ulong Checksum)
{
    /// <summary>Bytes of a head.</summary>
    public const int HeadBytes = 24;

    /// <summary>Most bytes of a body other than a block's: a prompt of two million tokens.</summary>
    public const int MostBytes = 16 << 20;

    const uint ComputedBit = 1u << 31;

    /// <summary>The head of a frame with such a body.</summary>
    public static PeerFrame Of(FrameKind kind, uint load, ReadOnlySpan<byte> body, int index = 0) =>
        new(kind, load, index, false, body.Length, XxHash3.HashToUInt64(body));

    /// <summary>The head of a block's frame: a block under another key has another checksum.</summary>
    public static PeerFrame OfBlock(uint load, int index, bool isComputed, BlockKey key, ReadOnlySpan<byte> payload) =>
        new(FrameKind.Block, load, index, isComputed, payload.Length, ChecksumOf(key, payload));

    /// <summary>The checksum of a block.</summary>
    public static ulong ChecksumOf(BlockKey key, ReadOnlySpan<byte> payload)
    {
        Span<byte> digits = stackalloc byte[Digest.Size];
        key.Digest.CopyTo(digits);
        return XxHash3.HashToUInt64(payload, BinaryPrimitives.ReadInt64LittleEndian(digits));
    }

    /// <summary>Writes the head.</summary>
    public void WriteTo(Span<byte> head)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(head, (uint)Kind);
        BinaryPrimitives.WriteUInt32LittleEndian(head[4..], Load);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], (uint)Index | (IsComputed ? ComputedBit : 0));
        BinaryPrimitives.WriteInt32LittleEndian(head[12..], Bytes);
        BinaryPrimitives.WriteUInt64LittleEndian(head[16..], Checksum);
    }

    /// <summary>Reads a head, which may be anything.</summary>
    /// <param name="head"><see cref="HeadBytes"/> bytes.</param>
    /// <param name="blockBytes">Bytes of a block.</param>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static PeerFrame Read(ReadOnlySpan<byte> head, long blockBytes)
    {
        uint index = BinaryPrimitives.ReadUInt32LittleEndian(head[8..]);
        PeerFrame frame = new((FrameKind)BinaryPrimitives.ReadUInt32LittleEndian(head), BinaryPrimitives.ReadUInt32LittleEndian(head[4..]),
            (int)(index & ~ComputedBit), (index & ComputedBit) != 0, BinaryPrimitives.ReadInt32LittleEndian(head[12..]),
            BinaryPrimitives.ReadUInt64LittleEndian(head[16..]));
        if (!Enum.IsDefined(frame.Kind))
            throw new InvalidDataException($"a frame of kind {(uint)frame.Kind}, expected {(uint)FrameKind.Hello} to {(uint)FrameKind.End}");
        bool isRight = frame.Kind == FrameKind.Block ? frame.Bytes == blockBytes : frame.Bytes is >= 0 and <= MostBytes;
        return isRight ? frame : throw new InvalidDataException($"a {frame.Kind} of {frame.Bytes} bytes");
    }
}
