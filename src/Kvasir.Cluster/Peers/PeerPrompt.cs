using System.Buffers.Binary;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Cluster.Peers;

/// <summary>
/// A prompt that another node is asked to compute. Little-endian: its root, tokens (32 bits), each of them (32), and the indices of the
/// blocks that are wanted (32 each), ascending. Its salt stays at home: the root says all that keys need.
/// </summary>
/// <param name="Root">The key before the first block.</param>
/// <param name="Tokens">Whole blocks of tokens, up to the last that is wanted.</param>
/// <param name="Wanted">Indices of the blocks that are wanted.</param>
sealed record PeerPrompt(BlockKey Root, int[] Tokens, int[] Wanted)
{
    const int TokensAt = Digest.Size + sizeof(int);

    public byte[] ToBytes()
    {
        byte[] bytes = new byte[TokensAt + (Tokens.Length + Wanted.Length) * sizeof(int)];
        Root.Digest.CopyTo(bytes);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(Digest.Size), Tokens.Length);
        Numbers.Write(Tokens, bytes.AsSpan(TokensAt));
        Numbers.Write(Wanted, bytes.AsSpan(TokensAt + Tokens.Length * sizeof(int)));
        return bytes;
    }

    /// <summary>Reads a prompt, which may be anything.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static PeerPrompt Read(byte[] bytes, int blockTokens)
    {
        int tokens = bytes.Length < TokensAt ? -1 : BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(Digest.Size));
        if (tokens <= 0 || tokens > (bytes.Length - TokensAt) / sizeof(int) || tokens % blockTokens != 0)
            throw new InvalidDataException($"a prompt of {tokens} tokens in {bytes.Length} bytes, expected whole blocks of {blockTokens}");
        int[] wanted = Numbers.Read(bytes.AsSpan(TokensAt + tokens * sizeof(int)));
        for (int i = 0; i < wanted.Length; i++)
            if (wanted[i] <= (i == 0 ? -1 : wanted[i - 1]) || wanted[i] >= tokens / blockTokens)
                throw new InvalidDataException($"block {wanted[i]} is wanted of a prompt of {tokens / blockTokens}");
        return wanted.Length > 0 && wanted[^1] == tokens / blockTokens - 1
            ? new PeerPrompt(new BlockKey(new Digest(bytes.AsSpan(0, Digest.Size))), Numbers.Read(bytes.AsSpan(TokensAt, tokens * sizeof(int))), wanted)
            : throw new InvalidDataException("a prompt that ends behind the last block that is wanted");
    }
}

/// <summary>Numbers of 32 bits, little-endian.</summary>
static class Numbers
{
    public static byte[] Of(uint first, IReadOnlyList<int> others)
    {
        byte[] bytes = new byte[(1 + others.Count) * sizeof(int)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, first);
        Write([.. others], bytes.AsSpan(sizeof(int)));
        return bytes;
    }

    public static void Write(ReadOnlySpan<int> numbers, Span<byte> bytes)
    {
        for (int i = 0; i < numbers.Length; i++)
            BinaryPrimitives.WriteInt32LittleEndian(bytes[(i * sizeof(int))..], numbers[i]);
    }

    public static int[] Read(ReadOnlySpan<byte> bytes)
    {
        int[] numbers = new int[bytes.Length / sizeof(int)];
        for (int i = 0; i < numbers.Length; i++)
            numbers[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes[(i * sizeof(int))..]);
        return numbers;
    }
}
