using System.Buffers.Binary;

namespace Kvasir.KvCache.Prefixes;

/// <summary>A SHA-256 digest: 32 bytes, compared as four words.</summary>
public readonly record struct Digest
{
    /// <summary>Bytes of a digest.</summary>
    public const int Size = 32;

    readonly ulong _a, _b, _c, _d;

    /// <param name="bytes"><see cref="Size"/> bytes.</param>
    /// <exception cref="ArgumentException">Not <see cref="Size"/> bytes.</exception>
    public Digest(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Size)
            throw new ArgumentException($"a digest has {Size} bytes, got {bytes.Length}");
        _a = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        _b = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        _c = BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]);
        _d = BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]);
    }

    /// <summary>The first 64 bits, as a big-endian number.</summary>
    internal ulong First => _a;

    /// <summary>Writes the <see cref="Size"/> bytes.</summary>
    public void CopyTo(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64BigEndian(bytes, _a);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], _b);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[16..], _c);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[24..], _d);
    }

    /// <summary>The <see cref="Size"/> bytes.</summary>
    public byte[] ToArray()
    {
        byte[] bytes = new byte[Size];
        CopyTo(bytes);
        return bytes;
    }

    /// <summary>Any part of a digest is as good a hash as the whole.</summary>
    public override int GetHashCode() => (int)_a;

    /// <summary>64 hexadecimal digits.</summary>
    public override string ToString() => $"{_a:x16}{_b:x16}{_c:x16}{_d:x16}";
}
