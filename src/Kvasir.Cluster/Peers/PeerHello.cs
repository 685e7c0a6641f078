using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Kvasir.KvCache;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Cluster.Peers;

/// <summary>
/// Who a node is, and whose keys and values it has. Little-endian: magic "KVASIRP1", version (32 bits), tokens of a block (32), bytes of a
/// block (64), fingerprint, incarnation, nonce, proof (32 bytes each), and the name in UTF-8.
/// </summary>
/// <param name="Name">What it is called.</param>
/// <param name="Incarnation">What tells its process from all others.</param>
/// <param name="Model">The model's fingerprint.</param>
/// <param name="BlockTokens">Tokens of a block.</param>
/// <param name="BlockBytes">Bytes of a block.</param>
/// <param name="Nonce">Random bytes, which the other has to answer for.</param>
/// <param name="Proof">That it knows the cluster's secret, given the other's nonce; zeros without one.</param>
sealed record PeerHello(string Name, Digest Incarnation, Digest Model, int BlockTokens, long BlockBytes, Digest Nonce, Digest Proof)
{
    /// <summary>The version of the protocol.</summary>
    public const int Version = 1;

    const ulong Magic = 0x3150_5249_5341_564B; // "KVASIRP1"
    const int FixedBytes = 24 + 4 * Digest.Size, MostName = 200;

    /// <summary>What this node says.</summary>
    public static PeerHello Of(PeerOptions options, TieredKvCache cache, Digest nonce, Digest proof) => new(options.Name, options.Incarnation,
        cache.Fingerprint.Digest, cache.Layout.BlockTokens, cache.Layout.BlockBytes, nonce, proof);

    /// <summary>Random bytes.</summary>
    public static Digest NewNonce() => new(RandomNumberGenerator.GetBytes(Digest.Size));

    /// <summary>That somebody knows the cluster's secret: HMAC-SHA256 of his part and both nonces.</summary>
    public static Digest ProofOf(byte[]? key, bool isAsker, Digest asker, Digest answerer)
    {
        if (key is null)
            return default;
        byte[] said = [.. isAsker ? "kvasir asks"u8 : "kvasir answers"u8, .. asker.ToArray(), .. answerer.ToArray()];
        return new Digest(HMACSHA256.HashData(key, said));
    }

    /// <summary>Why two nodes have nothing to say to each other; null when they have.</summary>
    public string? WhyNot(PeerHello other)
    {
        if (other.Incarnation == Incarnation)
            return "is this node itself";
        if (other.Model != Model)
            return $"node {other.Name} has another model, tokenizer or numerics: fingerprint {other.Model}, expected {Model}";
        return (other.BlockTokens, other.BlockBytes) == (BlockTokens, BlockBytes) ? null
            : $"node {other.Name} has blocks of {other.BlockTokens} tokens and {other.BlockBytes} bytes, expected {BlockTokens} and {BlockBytes}";
    }

    public byte[] ToBytes()
    {
        byte[] name = Encoding.UTF8.GetBytes(Name);
        byte[] bytes = new byte[FixedBytes + name.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), BlockTokens);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), BlockBytes);
        Digest[] digests = [Model, Incarnation, Nonce, Proof];
        for (int i = 0; i < digests.Length; i++)
            digests[i].CopyTo(bytes.AsSpan(24 + i * Digest.Size));
        name.CopyTo(bytes.AsSpan(FixedBytes));
        return bytes;
    }

    /// <summary>Reads what another says, which may be anything.</summary>
    /// <exception cref="InvalidDataException">It is no node of this version.</exception>
    public static PeerHello Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 12 || BinaryPrimitives.ReadUInt64LittleEndian(bytes) != Magic)
            throw new InvalidDataException("no node of a cluster");
        if (BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]) is var version && version != Version)
            throw new InvalidDataException($"speaks version {version} of the nodes' protocol, expected {Version}");
        if (bytes.Length is < FixedBytes or > FixedBytes + MostName)
            throw new InvalidDataException("no node of a cluster");
        Digest At(ReadOnlySpan<byte> all, int i) => new(all.Slice(24 + i * Digest.Size, Digest.Size));
        return new PeerHello(Formats.Printable.Line(Encoding.UTF8.GetString(bytes[FixedBytes..]), MostName), At(bytes, 1), At(bytes, 0),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]), BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]), At(bytes, 2), At(bytes, 3));
    }
}
