using System.Buffers.Binary;
using System.Collections.Immutable;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>
/// What stands before the keys and values in a slot, so that a block read back proves which one it is. Little-endian:
/// <code>
///   0  magic "KVASIRKV"       16  key            112  payload bytes (64 bits)     136  bytes (64) and XxHash3 (64) of each group
///   8  version (32 bits)      48  parent         120  tokens of a block (32)           tokens (32 each)
///  12  header bytes (32)      80  fingerprint    124  tokens (32)                      zeros
///                                                128  groups (32), zeros (32)          XxHash3 of all before (64)
/// </code>
/// </summary>
sealed class SlotHeader
{
    const ulong Magic = 0x564B_5249_5341_564B; // "KVASIRKV"
    const uint Version = 1;
    const int KeyAt = 16, ParentAt = 48, FingerprintAt = 80, PayloadBytesAt = 112, BlockTokensAt = 120, TokensAt = 124,
        GroupsAt = 128, GroupTableAt = 136;
    const int GroupEntry = 2 * sizeof(ulong);

    readonly KvLayout _layout;
    readonly Fingerprint _fingerprint;
    readonly ImmutableArray<LayerGroup> _groups;

    public SlotHeader(KvLayout layout, Fingerprint fingerprint, ImmutableArray<LayerGroup> groups)
    {
        (_layout, _fingerprint, _groups) = (layout, fingerprint, groups);
        int bytes = GroupTableAt + groups.Length * GroupEntry + layout.BlockTokens * sizeof(int) + sizeof(ulong);
        Bytes = (bytes + KvLayout.PageBytes - 1) / KvLayout.PageBytes * KvLayout.PageBytes;
    }

    /// <summary>Bytes of a header: whole pages.</summary>
    public int Bytes { get; }

    /// <summary>Writes the header of a block.</summary>
    /// <param name="header"><see cref="Bytes"/> bytes.</param>
    /// <param name="block">The block.</param>
    /// <param name="payload">Its keys and values.</param>
    public void Write(Span<byte> header, BlockWrite block, ReadOnlySpan<byte> payload)
    {
        header.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(header, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], Version);
        BinaryPrimitives.WriteInt32LittleEndian(header[12..], Bytes);
        block.Key.Digest.CopyTo(header[KeyAt..]);
        block.Parent.Digest.CopyTo(header[ParentAt..]);
        _fingerprint.Digest.CopyTo(header[FingerprintAt..]);
        BinaryPrimitives.WriteInt64LittleEndian(header[PayloadBytesAt..], _layout.BlockBytes);
        BinaryPrimitives.WriteInt32LittleEndian(header[BlockTokensAt..], _layout.BlockTokens);
        BinaryPrimitives.WriteInt32LittleEndian(header[TokensAt..], block.Tokens.Length);
        BinaryPrimitives.WriteInt32LittleEndian(header[GroupsAt..], _groups.Length);
        for (int group = 0; group < _groups.Length; group++)
        {
            Span<byte> entry = header[(GroupTableAt + group * GroupEntry)..];
            BinaryPrimitives.WriteInt64LittleEndian(entry, _groups[group].Bytes);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[sizeof(ulong)..], XxHash3.HashToUInt64(Part(payload, group)));
        }
        for (int i = 0; i < block.Tokens.Length; i++)
            BinaryPrimitives.WriteInt32LittleEndian(header[(TokenIdsAt + i * sizeof(int))..], block.Tokens[i]);
        BinaryPrimitives.WriteUInt64LittleEndian(header[^sizeof(ulong)..], XxHash3.HashToUInt64(header[..^sizeof(ulong)]));
    }

    /// <summary>Checks that a header is that of a block.</summary>
    public ReadOutcome Check(ReadOnlySpan<byte> header, BlockKey key, BlockKey parent, ReadOnlySpan<int> tokens)
    {
        ReadOutcome outcome = CheckIdentity(header, key, parent, _fingerprint);
        if (outcome != ReadOutcome.Ok)
            return outcome;
        if (!HasShape(header))
            return ReadOutcome.WrongLength;
        return HasTokens(header, TokenIdsAt, tokens) ? ReadOutcome.Ok : ReadOutcome.WrongTokens;
    }

    /// <summary>
    /// The block of a slot that came from elsewhere: header and payload are checked, and the key against tokens and
    /// parent; null when something is wrong.
    /// </summary>
    public BlockWrite? Read(ReadOnlySpan<byte> slot)
    {
        ReadOnlySpan<byte> header = slot[..Bytes], payload = slot[Bytes..];
        int count = BinaryPrimitives.ReadInt32LittleEndian(header[TokensAt..]);
        if (count < 1 || count > _layout.BlockTokens)
            return null;
        int[] tokens = MemoryMarshal.Cast<byte, int>(header.Slice(TokenIdsAt, count * sizeof(int))).ToArray();
        BlockKey parent = new(new Digest(header.Slice(ParentAt, Digest.Size))), key = KeyChain.Next(parent, tokens);
        if (Check(header, key, parent, tokens) != ReadOutcome.Ok)
            return null;
        for (int group = 0; group < _groups.Length; group++)
            if (CheckGroup(Checksum(header, group), group, Part(payload, group)) != ReadOutcome.Ok)
                return null;
        return new BlockWrite(key, parent, tokens, 0);
    }

    /// <summary>Checks a whole slot of any model by what its header says of itself, which may be anything.</summary>
    public static ReadOutcome CheckSlot(ReadOnlySpan<byte> slot, BlockKey key, BlockKey parent,
        Fingerprint fingerprint, ReadOnlySpan<int> tokens)
    {
        int headerBytes = BinaryPrimitives.ReadInt32LittleEndian(slot[12..]);
        if (BinaryPrimitives.ReadUInt64LittleEndian(slot) != Magic)
            return ReadOutcome.WrongMagic;
        if (headerBytes < KvLayout.PageBytes || headerBytes >= slot.Length || headerBytes % KvLayout.PageBytes != 0)
            return ReadOutcome.WrongLength;
        ReadOnlySpan<byte> header = slot[..headerBytes];
        ReadOutcome outcome = CheckIdentity(header, key, parent, fingerprint);
        if (outcome != ReadOutcome.Ok)
            return outcome;
        int groups = BinaryPrimitives.ReadInt32LittleEndian(header[GroupsAt..]);
        long tokensAt = GroupTableAt + (long)groups * GroupEntry;
        if (groups < 1 || tokensAt + tokens.Length * sizeof(int) + sizeof(ulong) > headerBytes)
            return ReadOutcome.WrongLength;
        return HasTokens(header, (int)tokensAt, tokens) ? CheckGroups(header, groups, slot[headerBytes..]) : ReadOutcome.WrongTokens;
    }

    static ReadOutcome CheckGroups(ReadOnlySpan<byte> header, int groups, ReadOnlySpan<byte> payload)
    {
        long left = BinaryPrimitives.ReadInt64LittleEndian(header[PayloadBytesAt..]);
        if (left < 0 || left > payload.Length)
            return ReadOutcome.WrongLength;
        for (int group = 0; group < groups; group++)
        {
            long bytes = BinaryPrimitives.ReadInt64LittleEndian(header[(GroupTableAt + group * GroupEntry)..]);
            if (bytes < 0 || bytes > left)
                return ReadOutcome.WrongLength;
            if (XxHash3.HashToUInt64(payload[..(int)bytes]) != Checksum(header, group))
                return ReadOutcome.WrongPayloadChecksum;
            payload = payload[(int)bytes..];
            left -= bytes;
        }
        return left == 0 ? ReadOutcome.Ok : ReadOutcome.WrongLength;
    }

    static ReadOutcome CheckIdentity(ReadOnlySpan<byte> header, BlockKey key, BlockKey parent, Fingerprint fingerprint)
    {
        if (BinaryPrimitives.ReadUInt64LittleEndian(header) != Magic)
            return ReadOutcome.WrongMagic;
        if (BinaryPrimitives.ReadUInt32LittleEndian(header[8..]) != Version)
            return ReadOutcome.WrongVersion;
        if (BinaryPrimitives.ReadUInt64LittleEndian(header[^sizeof(ulong)..]) != XxHash3.HashToUInt64(header[..^sizeof(ulong)]))
            return ReadOutcome.WrongHeaderChecksum;
        if (new Digest(header.Slice(KeyAt, Digest.Size)) != key.Digest)
            return ReadOutcome.WrongKey;
        if (new Digest(header.Slice(ParentAt, Digest.Size)) != parent.Digest)
            return ReadOutcome.WrongParent;
        return new Digest(header.Slice(FingerprintAt, Digest.Size)) == fingerprint.Digest ? ReadOutcome.Ok : ReadOutcome.WrongFingerprint;
    }

    /// <summary>Checks a group of keys and values against its header.</summary>
    public ReadOutcome CheckGroup(ulong checksum, int group, ReadOnlySpan<byte> bytes) =>
        XxHash3.HashToUInt64(bytes[..(int)_groups[group].Bytes]) == checksum ? ReadOutcome.Ok : ReadOutcome.WrongPayloadChecksum;

    /// <summary>The checksum of a group, of a header that was checked.</summary>
    public static ulong Checksum(ReadOnlySpan<byte> header, int group) =>
        BinaryPrimitives.ReadUInt64LittleEndian(header[(GroupTableAt + group * GroupEntry + sizeof(ulong))..]);

    int TokenIdsAt => GroupTableAt + _groups.Length * GroupEntry;

    ReadOnlySpan<byte> Part(ReadOnlySpan<byte> payload, int group) => payload.Slice((int)_groups[group].Offset, (int)_groups[group].Bytes);

    bool HasShape(ReadOnlySpan<byte> header) =>
        BinaryPrimitives.ReadInt32LittleEndian(header[12..]) == Bytes
        && BinaryPrimitives.ReadInt64LittleEndian(header[PayloadBytesAt..]) == _layout.BlockBytes
        && BinaryPrimitives.ReadInt32LittleEndian(header[BlockTokensAt..]) == _layout.BlockTokens
        && BinaryPrimitives.ReadInt32LittleEndian(header[GroupsAt..]) == _groups.Length;

    static bool HasTokens(ReadOnlySpan<byte> header, int at, ReadOnlySpan<int> tokens)
    {
        if (BinaryPrimitives.ReadInt32LittleEndian(header[TokensAt..]) != tokens.Length)
            return false;
        for (int i = 0; i < tokens.Length; i++)
            if (BinaryPrimitives.ReadInt32LittleEndian(header[(at + i * sizeof(int))..]) != tokens[i])
                return false;
        return true;
    }
}
