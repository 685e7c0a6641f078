using System.Buffers.Binary;

namespace Kvasir.KvCache;

/// <summary>256-bit identity of a block: its content and everything before it. Equal keys name equal keys and values.</summary>
public readonly record struct BlockKey
{
    /// <summary>Bytes of a key.</summary>
    public const int Size = 32;

    readonly ulong _a, _b, _c, _d;

    /// <param name="bytes">The <see cref="Size"/> bytes of a SHA-256 digest.</param>
    /// <exception cref="ArgumentException">Not <see cref="Size"/> bytes.</exception>
    public BlockKey(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Size)
            throw new ArgumentException($"a block key has {Size} bytes, got {bytes.Length}");
        _a = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        _b = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        _c = BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]);
        _d = BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]);
    }

    /// <summary>The key as 64 hexadecimal digits.</summary>
    public override string ToString() => $"{_a:x16}{_b:x16}{_c:x16}{_d:x16}";
}
