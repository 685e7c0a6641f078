using System.Buffers.Binary;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Tests.KvCache;

/// <summary>Keys where only their being different counts.</summary>
static class NumberedKey
{
    public static BlockKey Of(int number)
    {
        Span<byte> bytes = stackalloc byte[Digest.Size];
        BinaryPrimitives.WriteInt64BigEndian(bytes, number); // first, since a digest is hashed by its first bytes
        return new BlockKey(new Digest(bytes));
    }
}
