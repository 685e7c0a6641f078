using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Kvasir.KvCache.Prefixes;

/// <summary>
/// How blocks get their keys: <c>root = SHA-256(format ‖ fingerprint ‖ salt)</c>, <c>key_i = SHA-256(key_{i-1} ‖ tokens_i)</c>, every field
/// preceded by its length as <see cref="FieldHasher"/> does it, tokens as 32-bit little-endian numbers. Nothing random goes in: keys are
/// equal in every process, on every machine.
/// </summary>
public static class KeyChain
{
    const string Format = "kvasir-kv-1";
    const int MostTokensOnStack = 64;

    /// <summary>The key before the first block.</summary>
    /// <param name="fingerprint">The model and its numerics.</param>
    /// <param name="salt">Whose blocks these are: the same tokens under another salt have other keys. Empty for
    /// nobody's in particular.</param>
    public static BlockKey Root(Fingerprint fingerprint, ReadOnlySpan<byte> salt)
    {
        using var hasher = new FieldHasher();
        return new BlockKey(hasher.Add(Format).Add(fingerprint.Digest).Add(salt).Finish());
    }

    /// <summary>The key of a block from the one before it and the block's tokens: as many as a block holds, or fewer for a tail.</summary>
    public static BlockKey Next(BlockKey parent, ReadOnlySpan<int> tokens)
    {
        const int prefix = sizeof(long) + Digest.Size + sizeof(long);
        int length = prefix + tokens.Length * sizeof(int);
        Span<byte> bytes = tokens.Length <= MostTokensOnStack
            ? stackalloc byte[prefix + MostTokensOnStack * sizeof(int)]
            : new byte[length];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, Digest.Size);
        parent.Digest.CopyTo(bytes[sizeof(long)..]);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[(sizeof(long) + Digest.Size)..], (long)tokens.Length * sizeof(int));
        WriteTokens(tokens, bytes[prefix..]);
        Span<byte> digest = stackalloc byte[Digest.Size];
        SHA256.HashData(bytes[..length], digest);
        return new BlockKey(new Digest(digest));
    }

    static void WriteTokens(ReadOnlySpan<int> tokens, Span<byte> bytes)
    {
        if (BitConverter.IsLittleEndian)
            MemoryMarshal.AsBytes(tokens).CopyTo(bytes);
        else
            BinaryPrimitives.ReverseEndianness(tokens, MemoryMarshal.Cast<byte, int>(bytes[..(tokens.Length * sizeof(int))]));
    }
}
