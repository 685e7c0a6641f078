using System.Security.Cryptography;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.RemoteTiers.Values;

/// <summary>
/// What values are called: <c>kvasir:1:PREFIX:KIND:DIGITS</c>, the digits those of a key or, where names are secret, a keyed hash of it:
/// whoever guesses a conversation cannot see whether it is there.
/// </summary>
sealed class StoreNames(string prefix, byte[]? secret)
{
    const string Format = "kvasir:1:";

    /// <summary>What a name begins with that is of a block's entry.</summary>
    public string Blocks { get; } = $"{Format}{prefix}:b:";

    /// <summary>A block's entry.</summary>
    public string Block(BlockKey key) => Of('b', key.Digest);

    /// <summary>The entry of the newest block that follows another, or a root: a prompt may end within it.</summary>
    public string Tail(BlockKey parent) => Of('t', parent.Digest);

    /// <summary>A group of layers of so many blocks up to one: those that follow a hole may end there, too, and are fewer.</summary>
    public string Value(BlockKey last, int blocks, int group) => $"{Of('v', last.Digest)}:{blocks}:{group}";

    /// <summary>Who keeps a block.</summary>
    public string Pin(BlockKey key) => Of('p', key.Digest);

    /// <summary>What somebody keeps.</summary>
    public string Owner(string owner)
    {
        using FieldHasher hasher = new();
        return Of('o', hasher.Add(owner).Finish());
    }

    string Of(char kind, Digest digest)
    {
        Span<byte> content = stackalloc byte[1 + Digest.Size];
        content[0] = (byte)kind;
        digest.CopyTo(content[1..]);
        if (secret is not null)
            HMACSHA256.HashData(secret, content, content[1..]);
        Span<char> digits = stackalloc char[2 * Digest.Size]; // a lookup makes hundreds of names
        Convert.TryToHexStringLower(content[1..], digits, out _);
        return string.Concat(Format, prefix, [':', kind, ':'], digits);
    }
}
