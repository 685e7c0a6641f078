using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Kvasir.KvCache.Prefixes;

/// <summary>
/// SHA-256 over fields. Each field is preceded by its length in bytes (64 bits, little-endian), so that no two lists of fields give the
/// same bytes: without the lengths, tenant <c>org_1</c> with <c>2345</c> would be tenant <c>org_12345</c>.
/// </summary>
public sealed class FieldHasher : IDisposable
{
    readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>Adds a field of bytes.</summary>
    public FieldHasher Add(ReadOnlySpan<byte> field)
    {
        Span<byte> length = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(length, field.Length);
        _hash.AppendData(length);
        _hash.AppendData(field);
        return this;
    }

    /// <summary>Adds a text as UTF-8.</summary>
    public FieldHasher Add(string field) => Add(Encoding.UTF8.GetBytes(field));

    /// <summary>Adds a number as 64 bits, little-endian.</summary>
    public FieldHasher Add(long field)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, field);
        return Add(bytes);
    }

    /// <summary>Adds a digest.</summary>
    public FieldHasher Add(Digest field)
    {
        Span<byte> bytes = stackalloc byte[Digest.Size];
        field.CopyTo(bytes);
        return Add(bytes);
    }

    /// <summary>The digest of the fields added so far; the next field begins anew.</summary>
    public Digest Finish()
    {
        Span<byte> bytes = stackalloc byte[Digest.Size];
        _hash.GetHashAndReset(bytes);
        return new Digest(bytes);
    }

    /// <inheritdoc/>
    public void Dispose() => _hash.Dispose();
}
