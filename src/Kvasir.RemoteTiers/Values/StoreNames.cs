using System.Security.Cryptography;
using Kvasir.KvCache.Prefixes;
using Kvasir.RemoteTiers.Settings;

namespace Kvasir.RemoteTiers.Values;

/// <summary>
/// What values are called: <c>kvasir:1:PREFIX:KIND:DIGITS</c>, or <c>PREFIX/1/KIND/DIGITS</c> where names are paths. The digits are those
/// of a key or, where names are secret, a keyed hash of it: whoever guesses a conversation cannot see whether it is there.
/// </summary>
/// <param name="start">What all names begin with, the version included.</param>
/// <param name="separator">What stands between the parts.</param>
/// <param name="secret">The key of the hash; null leaves the digits as they are.</param>
sealed class StoreNames(string start, char separator, byte[]? secret)
{
    const int Version = 1;

    /// <summary>The names in a store.</summary>
    public static StoreNames In(RemoteAddress store, byte[]? secret) => store.Protocol == StoreProtocol.S3
        ? new StoreNames($"{store.Prefix}/{Version}", '/', secret)
        : new StoreNames($"kvasir:{Version}:{store.Prefix}", ':', secret);

    /// <summary>What the names of all entries of blocks begin with.</summary>
    public string AllBlocks => All('b');

    /// <summary>What the names of all entries of runs begin with, each under that of its end.</summary>
    public string AllEnds => All('e');

    /// <summary>The entry of the run that ends with a block.</summary>
    public string End(BlockKey last) => Of('e', last.Digest);

    /// <summary>The entry of the newest run that follows a block, or a root.</summary>
    public string Following(BlockKey before) => Of('f', before.Digest);

    /// <summary>A block's entry.</summary>
    public string Block(BlockKey key) => Of('b', key.Digest);

    /// <summary>The entry of the newest block that follows another, or a root: a prompt may end within it.</summary>
    public string Tail(BlockKey parent) => Of('t', parent.Digest);

    /// <summary>So many blocks up to one: those that follow a hole may end there, too, and are fewer.</summary>
    public string Run(StoredRun run) => $"{Of('v', run.Last.Digest)}{separator}{run.Count}";

    /// <summary>A group of layers of a run.</summary>
    public string Group(StoredRun run, int group) => $"{Run(run)}{separator}{group}";

    /// <summary>Who keeps a block.</summary>
    public string Pin(BlockKey key) => Of('p', key.Digest);

    /// <summary>What the names of all cards of models begin with.</summary>
    public string AllModels => All('m');

    /// <summary>The card of a model.</summary>
    public string Model(Fingerprint model) => Of('m', model.Digest);

    /// <summary>What the names of all values begin with.</summary>
    public string AllValues => All('v');

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
        return string.Concat(start, [separator, kind, separator], digits);
    }

    string All(char kind) => $"{start}{separator}{kind}{separator}";
}
