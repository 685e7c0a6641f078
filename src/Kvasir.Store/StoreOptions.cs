using System.Net;

namespace Kvasir.Store;

/// <summary>Where a store listens and how much it may take.</summary>
public sealed record StoreOptions
{
    /// <summary>The least memory with which a store is of any use.</summary>
    public const long LeastMemoryBytes = 256L << 20;

    /// <summary>The least room on a disk.</summary>
    public const long LeastDiskBytes = 256L << 20;

    /// <summary>The address to listen on. Any but a loopback address needs a password.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port to listen on; 0 takes a free one.</summary>
    public int Port { get; init; } = 6379;

    /// <summary>What the process may take, values and all else.</summary>
    public long MemoryBytes { get; init; } = 4L << 30;

    /// <summary>A directory for what memory has no room for; null forgets it. It is empty again when the store ends.</summary>
    public string? Directory { get; init; }

    /// <summary>Most bytes there.</summary>
    public long DiskBytes { get; init; } = 64L << 30;

    /// <summary>What clients must show; null lets in all who can connect.</summary>
    public string? Password { get; init; }

    /// <summary>The options without the password.</summary>
    public override string ToString() => $"{new IPEndPoint(Address, Port)}";

    internal void Check()
    {
        if (Port is < 0 or > IPEndPoint.MaxPort)
            throw new ArgumentException($"port {Port}: expected 0 to {IPEndPoint.MaxPort}");
        if (MemoryBytes < LeastMemoryBytes)
            throw new ArgumentException($"memory {MemoryBytes:N0} bytes: expected at least {LeastMemoryBytes >> 20} MiB");
        if (Directory is not null && DiskBytes < LeastDiskBytes)
            throw new ArgumentException($"disk size {DiskBytes:N0} bytes: expected at least {LeastDiskBytes >> 20} MiB");
        if (Password is null && !IPAddress.IsLoopback(Address))
            throw new ArgumentException($"host {Address}: others can reach it, expected a password or a loopback address such as 127.0.0.1");
        if (Password is { Length: 0 })
            throw new ArgumentException("password: saw an empty one");
    }
}
