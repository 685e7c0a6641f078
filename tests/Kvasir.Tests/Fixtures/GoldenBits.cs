using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;

namespace Kvasir.Tests.Fixtures;

/// <summary>Digests of results that are the same on all machines, made by the scalar kernels on x64.</summary>
static class GoldenBits
{
    static readonly Lazy<Dictionary<string, string>> s_digests = new(() => JsonSerializer.Deserialize<Dictionary<string, string>>(
        File.ReadAllText(Path.Combine(Checkout.Root, "tests/Kvasir.Tests/Golden/bits.json")))!);

    /// <summary>SHA-256 over the bits of all rows, little-endian.</summary>
    public static void Check(string name, float[][] rows)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (float[] row in rows)
            hash.AppendData(MemoryMarshal.AsBytes<float>(row));
        string digest = Convert.ToHexStringLower(hash.GetHashAndReset());
        Assert.True(s_digests.Value.GetValueOrDefault(name) == digest, $"other bits than on other machines: \"{name}\": \"{digest}\"");
    }
}
