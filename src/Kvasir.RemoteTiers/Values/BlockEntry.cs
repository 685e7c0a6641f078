using System.Buffers.Binary;
using System.IO.Hashing;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.RemoteTiers.Values;

/// <summary>
/// Where a block is, and what it is. Little-endian:
/// <code>
///   0  magic "KVE1" (32 bits)    16  written, seconds since 1970 (64)     88  the run's last block's key
///   4  index in the run (32)     24  fingerprint                         120  tokens (32 each)
///   8  blocks of the run (32)    56  parent                                   XxHash3 of all before (64)
///  12  tokens (32)
/// </code>
/// </summary>
static class BlockEntry
{
    const int MostBlocks = 256; // of a run
    const uint Magic = 0x3145_564B; // "KVE1"
    const int IndexAt = 4, CountAt = 8, TokenCountAt = 12, WrittenAt = 16, FingerprintAt = 24, ParentAt = 56, LastAt = 88, TokensAt = 120;

    /// <summary>The entry of a block.</summary>
    public static byte[] Write(StoredBlock block, Fingerprint fingerprint)
    {
        byte[] bytes = new byte[TokensAt + block.Tokens.Length * sizeof(int) + sizeof(ulong)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(IndexAt), block.Index);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(CountAt), block.Run.Count);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(TokenCountAt), block.Tokens.Length);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(WrittenAt), block.Written.ToUnixTimeSeconds());
        fingerprint.Digest.CopyTo(bytes.AsSpan(FingerprintAt));
        block.Parent.Digest.CopyTo(bytes.AsSpan(ParentAt));
        block.Run.Last.Digest.CopyTo(bytes.AsSpan(LastAt));
        EntryBytes.WriteTokens(bytes.AsSpan(TokensAt), block.Tokens);
        EntryBytes.Finish(bytes);
        return bytes;
    }

    /// <summary>Reads an entry, which may be anything; null when it is none of this model.</summary>
    public static StoredBlock? Read(ReadOnlySpan<byte> bytes, Fingerprint fingerprint, int blockTokens)
    {
        if (bytes.Length <= TokensAt + sizeof(ulong) || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Magic)
            return null;
        int index = BinaryPrimitives.ReadInt32LittleEndian(bytes[IndexAt..]),
            count = BinaryPrimitives.ReadInt32LittleEndian(bytes[CountAt..]),
            tokens = BinaryPrimitives.ReadInt32LittleEndian(bytes[TokenCountAt..]);
        if (tokens < 1 || tokens > blockTokens || bytes.Length != TokensAt + tokens * sizeof(int) + sizeof(ulong)
            || count is < 1 or > MostBlocks || index < 0 || index >= count
            || !EntryBytes.AreWhole(bytes) || new Digest(bytes.Slice(FingerprintAt, Digest.Size)) != fingerprint.Digest)
            return null;
        return new StoredBlock(EntryBytes.Key(bytes[ParentAt..]), EntryBytes.Tokens(bytes[TokensAt..], tokens),
            new StoredRun(EntryBytes.Key(bytes[LastAt..]), count), index, EntryBytes.Time(bytes[WrittenAt..]));
    }
}

/// <summary>What entries are made of.</summary>
static class EntryBytes
{
    public static void WriteTokens(Span<byte> bytes, ReadOnlySpan<int> tokens)
    {
        for (int i = 0; i < tokens.Length; i++)
            BinaryPrimitives.WriteInt32LittleEndian(bytes[(i * sizeof(int))..], tokens[i]);
    }

    public static int[] Tokens(ReadOnlySpan<byte> bytes, int count)
    {
        int[] tokens = new int[count];
        for (int i = 0; i < count; i++)
            tokens[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes[(i * sizeof(int))..]);
        return tokens;
    }

    public static BlockKey Key(ReadOnlySpan<byte> bytes) => new(new Digest(bytes[..Digest.Size]));

    public static DateTimeOffset Time(ReadOnlySpan<byte> bytes)
    {
        const long latest = 253_402_300_799; // the last second that there is in .NET
        return DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(BinaryPrimitives.ReadInt64LittleEndian(bytes), 0, latest));
    }

    /// <summary>Writes the checksum of all before it to the end.</summary>
    public static void Finish(Span<byte> bytes) =>
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[^sizeof(ulong)..], XxHash3.HashToUInt64(bytes[..^sizeof(ulong)]));

    /// <summary>Whether the checksum is that of what stands before it.</summary>
    public static bool AreWhole(ReadOnlySpan<byte> bytes) =>
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[^sizeof(ulong)..]) == XxHash3.HashToUInt64(bytes[..^sizeof(ulong)]);
}
