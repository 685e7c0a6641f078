using System.Globalization;
using System.Security.Cryptography;

namespace Kvasir.Cli.Pull;

/// <summary>A file of a repository.</summary>
/// <param name="Path">Where it lies there, with <c>/</c>.</param>
/// <param name="Size">Its bytes.</param>
/// <param name="Hash">SHA-256 of a large file, and Git's name for a small one; the cache calls its blob so.</param>
/// <param name="IsLarge">Which of both.</param>
sealed record HubFile(string Path, long Size, string Hash, bool IsLarge)
{
    /// <summary>The hash of what a stream holds.</summary>
    public async Task<string> HashOf(Stream stream, CancellationToken cancellation)
    {
#pragma warning disable CA5350 // Git's names are SHA-1
        using var hash = IncrementalHash.CreateHash(IsLarge ? HashAlgorithmName.SHA256 : HashAlgorithmName.SHA1);
#pragma warning restore CA5350
        if (!IsLarge)
            hash.AppendData(System.Text.Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"blob {stream.Length}\0")));
        stream.Position = 0;
        byte[] buffer = new byte[1 << 18];
        for (int read; (read = await stream.ReadAsync(buffer, cancellation).ConfigureAwait(false)) > 0;)
            hash.AppendData(buffer, 0, read);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
