using System.Security.Cryptography;
using System.Text;

namespace Kvasir.Inference.Chat;

/// <summary>
/// Turns the name that a caller gives to a part of the cache, <c>cache_salt</c>, into the salt of what is computed under it.
/// </summary>
public static class CacheSalt
{
    /// <summary>The salt of a named part.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="owner">Whose names these are: equal names of different owners are different parts. Empty for
    /// nobody's in particular.</param>
    public static byte[] Of(string name, ReadOnlySpan<byte> owner = default) =>
        SHA256.HashData([.. owner, .. Encoding.UTF8.GetBytes($"cache_salt:{name}")]);
}
