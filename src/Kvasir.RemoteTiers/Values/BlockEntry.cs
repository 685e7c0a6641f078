using System.Buffers.Binary;
using System.IO.Hashing;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.RemoteTiers.Values;

/// <summary>
/// Where a block is, and what it is: a hint, which the value that it names has to prove. Little-endian:
/// <code>
///   0  magic "KVE1" (32 bits)    16  written, seconds since 1970 (64)     88  the last block's key
///   4  index in the value (32)   24  fingerprint                         120  tokens (32 each)
///   8  blocks of the value (32)  56  parent                                   XxHash3 of all before (64)
///  12  tokens (32)
/// </code>
/// </summary>
/// <param name="Parent">The key of the block before it, or the root.</param>
/// <param name="Tokens">Its tokens.</param>
/// <param name="Value">The value that it is in: the key of the last block there.</param>
/// <param name="Index">Which of the value's blocks it is.</param>
/// <param name="Count">Blocks of the value.</param>
/// <param name="Written">When.</param>
sealed record BlockEntry(BlockKey Parent, int[] Tokens, BlockKey Value, int Index, int Count, DateTimeOffset Written)
{
    /// <summary>Most blocks of a value.</summary>
    public const int MostBlocks = 256;

    const uint Magic = 0x3145_564B; // "KVE1"
    const int IndexAt = 4, CountAt = 8, TokenCountAt = 12, WrittenAt = 16, FingerprintAt = 24, ParentAt = 56, ValueAt = 88, TokensAt = 120;

    /// <summary>The block's key.</summary>
    public BlockKey Key => KeyChain.Next(Parent, Tokens);

    /// <summary>The entry as it is stored.</summary>
    public byte[] ToBytes(Fingerprint fingerprint)
    {
        byte[] bytes = new byte[TokensAt + Tokens.Length * sizeof(int) + sizeof(ulong)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(IndexAt), Index);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(CountAt), Count);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(TokenCountAt), Tokens.Length);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(WrittenAt), Written.ToUnixTimeSeconds());
        fingerprint.Digest.CopyTo(bytes.AsSpan(FingerprintAt));
        Parent.Digest.CopyTo(bytes.AsSpan(ParentAt));
        Value.Digest.CopyTo(bytes.AsSpan(ValueAt));
        for (int i = 0; i < Tokens.Length; i++)
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(TokensAt + i * sizeof(int)), Tokens[i]);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(^sizeof(ulong)), XxHash3.HashToUInt64(bytes.AsSpan(..^sizeof(ulong))));
        return bytes;
    }

    /// <summary>Reads an entry, which may be anything; null when it is none of this model.</summary>
    public static BlockEntry? Read(ReadOnlySpan<byte> bytes, Fingerprint fingerprint, int blockTokens)
    {
        if (bytes.Length <= TokensAt + sizeof(ulong) || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Magic)
            return null;
        int index = BinaryPrimitives.ReadInt32LittleEndian(bytes[IndexAt..]),
            count = BinaryPrimitives.ReadInt32LittleEndian(bytes[CountAt..]),
            tokens = BinaryPrimitives.ReadInt32LittleEndian(bytes[TokenCountAt..]);
        if (tokens < 1 || tokens > blockTokens || bytes.Length != TokensAt + tokens * sizeof(int) + sizeof(ulong)
            || count is < 1 or > MostBlocks || index < 0 || index >= count
            || BinaryPrimitives.ReadUInt64LittleEndian(bytes[^sizeof(ulong)..]) != XxHash3.HashToUInt64(bytes[..^sizeof(ulong)])
            || new Digest(bytes.Slice(FingerprintAt, Digest.Size)) != fingerprint.Digest)
            return null;
        int[] content = new int[tokens];
        for (int i = 0; i < tokens; i++)
            content[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes[(TokensAt + i * sizeof(int))..]);
        return new BlockEntry(KeyAt(bytes, ParentAt), content, KeyAt(bytes, ValueAt), index, count, TimeAt(bytes));
    }

    static BlockKey KeyAt(ReadOnlySpan<byte> bytes, int at) => new(new Digest(bytes.Slice(at, Digest.Size)));

    static DateTimeOffset TimeAt(ReadOnlySpan<byte> bytes)
    {
        const long latest = 253_402_300_799; // the last second that there is in .NET
        return DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(BinaryPrimitives.ReadInt64LittleEndian(bytes[WrittenAt..]), 0, latest));
    }
}
