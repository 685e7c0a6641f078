using System.Buffers.Binary;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>Tokens as the catalogue keeps them: 32 bits each, little-endian.</summary>
static class TokenBlob
{
    public static byte[] Write(ReadOnlySpan<int> tokens)
    {
        byte[] bytes = new byte[tokens.Length * sizeof(int)];
        for (int i = 0; i < tokens.Length; i++)
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(i * sizeof(int)), tokens[i]);
        return bytes;
    }

    public static int[] Read(ReadOnlySpan<byte> bytes)
    {
        int[] tokens = new int[bytes.Length / sizeof(int)];
        for (int i = 0; i < tokens.Length; i++)
            tokens[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes[(i * sizeof(int))..]);
        return tokens;
    }
}
