using System.Security.Cryptography;
using System.Text;

namespace Kvasir.Server.Security;

/// <summary>What a key may do.</summary>
[Flags]
public enum Scopes
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Ask the model.</summary>
    Infer = 1,

    /// <summary>Read the metrics.</summary>
    Metrics = 2,

    /// <summary>See and change what the cache holds.</summary>
    KvAdmin = 4,

    /// <summary>All of it.</summary>
    All = Infer | Metrics | KvAdmin,
}

/// <summary>
/// A key and whose it is. Only a digest of the key is kept. The salt of its cache comes from the owner's name, so that a new key finds what
/// the old one left, or from the key itself where there is no name.
/// </summary>
public sealed class ApiKey
{
    const int LeastLength = 8;

    readonly byte[] _digest;

    /// <param name="key">The key.</param>
    /// <param name="scopes">What it may do.</param>
    /// <param name="owner">Whose it is; keys of one owner share a cache. Null for the key's own.</param>
    /// <exception cref="ArgumentException">It is too short to be one, or has characters that no header takes.</exception>
    public ApiKey(string key, Scopes scopes = Scopes.All, string? owner = null)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (key.Length < LeastLength || key.Any(character => character is <= ' ' or > '~'))
            throw new ArgumentException($"API key: {(key.Length < LeastLength ? $"its length is {key.Length}" : "white space or a character beyond ASCII")}, expected at least {LeastLength} visible ASCII characters");
        _digest = SHA256.HashData(Encoding.UTF8.GetBytes(key));
        Scopes = scopes;
        byte[] salt = SHA256.HashData(Encoding.UTF8.GetBytes(owner is null ? $"kvasir key:{key}" : $"kvasir owner:{owner}"));
        Owner = owner ?? $"key-{Convert.ToHexStringLower(salt)[..8]}";
        Principal = new Principal(Owner, scopes, salt);
    }

    /// <summary>Whose it is, as logs have it.</summary>
    public string Owner { get; }

    /// <summary>What it may do.</summary>
    public Scopes Scopes { get; }

    internal Principal Principal { get; }

    /// <summary>Whether this is the key; takes as long for a wrong one.</summary>
    internal bool Matches(ReadOnlySpan<byte> digest) => CryptographicOperations.FixedTimeEquals(_digest, digest);

    /// <summary>
    /// Reads a file of keys: a line each, <c>KEY [SCOPE,SCOPE…] [OWNER]</c>; scopes are infer, metrics and kv-admin, all without them.
    /// Lines that begin with # are comments.
    /// </summary>
    /// <exception cref="ArgumentException">A line is none; the message names it.</exception>
    public static IReadOnlyList<ApiKey> ReadFile(string path)
    {
        List<ApiKey> keys = [];
        foreach ((int i, string line) in File.ReadLines(path).Index())
        {
            string[] words = line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length == 0 || words[0].StartsWith('#'))
                continue;
            try
            {
                keys.Add(words.Length <= 3
                    ? new ApiKey(words[0], words.Length > 1 ? ParseScopes(words[1]) : Scopes.All, words.Length > 2 ? words[2] : null)
                    : throw new ArgumentException($"{words.Length} words, expected KEY [SCOPES] [OWNER]"));
            }
            catch (ArgumentException e)
            {
                throw new ArgumentException($"{path}: line {i + 1}: {e.Message}");
            }
        }
        return keys.Count > 0 ? keys : throw new ArgumentException($"{path}: no keys, expected a line each");
    }

    static Scopes ParseScopes(string text) => text.Split(',').Aggregate(Scopes.None, (scopes, word) => scopes | word switch
    {
        "infer" => Scopes.Infer,
        "metrics" => Scopes.Metrics,
        "kv-admin" => Scopes.KvAdmin,
        "all" => Scopes.All,
        _ => throw new ArgumentException($"scope '{word}', expected infer, metrics, kv-admin or all"),
    });
}

/// <summary>Who asks.</summary>
/// <param name="Name">As logs have it.</param>
/// <param name="Scopes">What they may do.</param>
/// <param name="Salt">What keeps their cache apart from others'; empty where nobody is kept apart.</param>
sealed record Principal(string Name, Scopes Scopes, byte[] Salt)
{
    /// <summary>Whoever reaches a server that has no keys.</summary>
    public static Principal Anyone { get; } = new("anyone", Scopes.All, []);
}
