using System.Buffers.Binary;

namespace Kvasir.KvCache;

/// <summary>256-bit identity of a block: its content and everything before it. Equal keys name equal keys and values.</summary>
public readonly record struct BlockKey
{
    /// <summary>Bytes of a key.</summary>
    public const int Size = 32;

    readonly ulong a, b, c, d;

    /// <param name="bytes">The <see cref="Size"/> bytes of a SHA-256 digest.</param>
    /// <exception cref="ArgumentException">Not <see cref="Size"/> bytes.</exception>
    public BlockKey(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Size)
            throw new ArgumentException($"a block key has {Size} bytes, got {bytes.Length}");
        a = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        b = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        c = BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]);
        d = BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]);
    }

    /// <summary>The key as 64 hexadecimal digits.</summary>
    public override string ToString() => $"{a:x16}{b:x16}{c:x16}{d:x16}";
}
