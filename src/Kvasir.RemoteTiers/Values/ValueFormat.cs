using System.Buffers.Binary;
using System.Collections.Immutable;
using System.IO.Hashing;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.RemoteTiers.Values;

/// <summary>
/// A value: one group of layers of consecutive blocks, behind a header by which each block proves itself. Little-endian:
/// <code>
///   0  magic "KVASIRRV"          16  fingerprint               64  tokens that a block holds (32)
///   8  version (32 bits)         48  group (32), groups (32)   68  blocks (32)
///  12  header bytes (32)         56  bytes of each block (64)  72  of each block: key, parent, tokens (32), zeros (32),
///                                                                  XxHash3 of its bytes (64), tokens (32 each) and zeros
///                                                                  XxHash3 of all before (64)
/// </code>
/// The bytes of the blocks follow, one after the other.
/// </summary>
sealed unsafe class ValueFormat(int blockTokens, Fingerprint fingerprint, ImmutableArray<LayerGroup> groups)
{
    const ulong Magic = 0x5652_5249_5341_564B; // "KVASIRRV"
    const uint Version = 1;
    const int HeaderBytesAt = 12, FingerprintAt = 16, GroupAt = 48, GroupsAt = 52, BlockBytesAt = 56, BlockTokensAt = 64, BlocksAt = 68,
        RecordsAt = 72;
    const int ParentAt = Digest.Size, TokenCountAt = 2 * Digest.Size, ChecksumAt = TokenCountAt + 8, TokensAt = ChecksumAt + sizeof(ulong);

    /// <summary>The model.</summary>
    public Fingerprint Fingerprint => fingerprint;

    /// <summary>Tokens that a block holds.</summary>
    public int BlockTokens => blockTokens;

    int RecordBytes => TokensAt + blockTokens * sizeof(int);

    /// <summary>Bytes of a value of so many blocks.</summary>
    public int Bytes(int group, int blocks) => checked(HeaderBytes(blocks) + blocks * (int)groups[group].Bytes);

    /// <summary>Writes a group of consecutive blocks.</summary>
    /// <param name="value"><see cref="Bytes"/> bytes.</param>
    /// <param name="group">Which group.</param>
    /// <param name="blocks">The blocks, whose keys and values are copied.</param>
    public void Write(Span<byte> value, int group, ReadOnlySpan<BlockWrite> blocks)
    {
        Span<byte> header = value[..HeaderBytes(blocks.Length)];
        header.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(header, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], Version);
        BinaryPrimitives.WriteInt32LittleEndian(header[HeaderBytesAt..], header.Length);
        fingerprint.Digest.CopyTo(header[FingerprintAt..]);
        BinaryPrimitives.WriteInt32LittleEndian(header[GroupAt..], group);
        BinaryPrimitives.WriteInt32LittleEndian(header[GroupsAt..], groups.Length);
        BinaryPrimitives.WriteInt64LittleEndian(header[BlockBytesAt..], groups[group].Bytes);
        BinaryPrimitives.WriteInt32LittleEndian(header[BlockTokensAt..], blockTokens);
        BinaryPrimitives.WriteInt32LittleEndian(header[BlocksAt..], blocks.Length);
        for (int index = 0; index < blocks.Length; index++)
        {
            Span<byte> payload = value.Slice(PayloadAt(group, blocks.Length, index), (int)groups[group].Bytes);
            new ReadOnlySpan<byte>((byte*)blocks[index].Payload + groups[group].Offset, payload.Length).CopyTo(payload);
            WriteRecord(Record(header, index), blocks[index], XxHash3.HashToUInt64(payload));
        }
        BinaryPrimitives.WriteUInt64LittleEndian(header[^sizeof(ulong)..], XxHash3.HashToUInt64(header[..^sizeof(ulong)]));
    }

    /// <summary>Checks that a value, which may be anything, is one of this model and group.</summary>
    /// <param name="value">The value.</param>
    /// <param name="group">Which group it should be.</param>
    /// <param name="blocks">Blocks that it should have.</param>
    public ReadOutcome Check(ReadOnlySpan<byte> value, int group, int blocks)
    {
        if (value.Length < RecordsAt || BinaryPrimitives.ReadUInt64LittleEndian(value) != Magic)
            return ReadOutcome.WrongMagic;
        if (BinaryPrimitives.ReadUInt32LittleEndian(value[8..]) != Version)
            return ReadOutcome.WrongVersion;
        int bytes = BinaryPrimitives.ReadInt32LittleEndian(value[HeaderBytesAt..]);
        if (bytes < RecordsAt + sizeof(ulong) || bytes > value.Length)
            return ReadOutcome.WrongLength;
        ReadOnlySpan<byte> header = value[..bytes];
        if (BinaryPrimitives.ReadUInt64LittleEndian(header[^sizeof(ulong)..]) != XxHash3.HashToUInt64(header[..^sizeof(ulong)]))
            return ReadOutcome.WrongHeaderChecksum;
        if (new Digest(header.Slice(FingerprintAt, Digest.Size)) != fingerprint.Digest)
            return ReadOutcome.WrongFingerprint;
        return HasShape(header, group, blocks) && value.Length == Bytes(group, blocks) ? ReadOutcome.Ok : ReadOutcome.WrongLength;
    }

    /// <summary>Copies a block out of a value that was checked to where it is wanted, if it is the one.</summary>
    public ReadOutcome Read(ReadOnlySpan<byte> value, int group, int blocks, int index, LoadedBlock block)
    {
        ReadOnlySpan<byte> record = Record(value[..HeaderBytes(blocks)], index);
        if (Prove(record, block.Key, block.Parent, block.Tokens) is not ReadOutcome.Ok and var other)
            return other;
        LayerGroup part = groups[group];
        Span<byte> destination = new(block.Destination + part.Offset, (int)part.Bytes);
        value.Slice(PayloadAt(group, blocks, index), destination.Length).CopyTo(destination);
        return XxHash3.HashToUInt64(destination) == BinaryPrimitives.ReadUInt64LittleEndian(record[ChecksumAt..])
            ? ReadOutcome.Ok
            : ReadOutcome.WrongPayloadChecksum;
    }

    /// <summary>Checks a block of a value that was checked, without copying it.</summary>
    public ReadOutcome Verify(ReadOnlySpan<byte> value, int group, StoredBlock block)
    {
        ReadOnlySpan<byte> record = Record(value[..HeaderBytes(block.Run.Count)], block.Index);
        if (Prove(record, block.Key, block.Parent, block.Tokens) is not ReadOutcome.Ok and var other)
            return other;
        ReadOnlySpan<byte> payload = value.Slice(PayloadAt(group, block.Run.Count, block.Index), (int)groups[group].Bytes);
        return XxHash3.HashToUInt64(payload) == BinaryPrimitives.ReadUInt64LittleEndian(record[ChecksumAt..])
            ? ReadOutcome.Ok
            : ReadOutcome.WrongPayloadChecksum;
    }

    static ReadOutcome Prove(ReadOnlySpan<byte> record, BlockKey key, BlockKey parent, ReadOnlySpan<int> tokens)
    {
        if (new Digest(record[..Digest.Size]) != key.Digest)
            return ReadOutcome.WrongKey;
        if (new Digest(record.Slice(ParentAt, Digest.Size)) != parent.Digest)
            return ReadOutcome.WrongParent;
        return HasTokens(record, tokens) ? ReadOutcome.Ok : ReadOutcome.WrongTokens;
    }

    int HeaderBytes(int blocks) => RecordsAt + blocks * RecordBytes + sizeof(ulong);

    int PayloadAt(int group, int blocks, int index) => HeaderBytes(blocks) + index * (int)groups[group].Bytes;

    Span<byte> Record(Span<byte> header, int index) => header.Slice(RecordsAt + index * RecordBytes, RecordBytes);

    ReadOnlySpan<byte> Record(ReadOnlySpan<byte> header, int index) => header.Slice(RecordsAt + index * RecordBytes, RecordBytes);

    static void WriteRecord(Span<byte> record, BlockWrite block, ulong checksum)
    {
        block.Key.Digest.CopyTo(record);
        block.Parent.Digest.CopyTo(record[ParentAt..]);
        BinaryPrimitives.WriteInt32LittleEndian(record[TokenCountAt..], block.Tokens.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(record[ChecksumAt..], checksum);
        for (int i = 0; i < block.Tokens.Length; i++)
            BinaryPrimitives.WriteInt32LittleEndian(record[(TokensAt + i * sizeof(int))..], block.Tokens[i]);
    }

    bool HasShape(ReadOnlySpan<byte> header, int group, int blocks) =>
        BinaryPrimitives.ReadInt32LittleEndian(header[BlocksAt..]) == blocks
        && header.Length == HeaderBytes(blocks)
        && BinaryPrimitives.ReadInt32LittleEndian(header[GroupAt..]) == group
        && BinaryPrimitives.ReadInt32LittleEndian(header[GroupsAt..]) == groups.Length
        && BinaryPrimitives.ReadInt64LittleEndian(header[BlockBytesAt..]) == groups[group].Bytes
        && BinaryPrimitives.ReadInt32LittleEndian(header[BlockTokensAt..]) == blockTokens;

    static bool HasTokens(ReadOnlySpan<byte> record, ReadOnlySpan<int> tokens)
    {
        if (BinaryPrimitives.ReadInt32LittleEndian(record[TokenCountAt..]) != tokens.Length)
            return false;
        for (int i = 0; i < tokens.Length; i++)
            if (BinaryPrimitives.ReadInt32LittleEndian(record[(TokensAt + i * sizeof(int))..]) != tokens[i])
                return false;
        return true;
    }
}
