using System.Net;
using System.Security.Cryptography.X509Certificates;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Cluster.Peers;

/// <summary>How the nodes of a cluster reach one another, and how they know that they belong together.</summary>
public sealed record PeerOptions
{
    /// <summary>Bytes of a <see cref="Key"/>.</summary>
    public const int KeyBytes = 32;

    /// <summary>What this node is called.</summary>
    public string Name { get; init; } = $"{Dns.GetHostName()}-{Environment.ProcessId}";

    /// <summary>The secret that all nodes of the cluster know; null takes anybody, which is for loopback addresses only.</summary>
    public byte[]? Key { get; init; }

    /// <summary>
    /// The certificate, with its private key, that this node shows, and in which, or in those that it has signed, it trusts; null speaks
    /// in the clear.
    /// </summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>Hears, in one line each, of nodes that come, go, or are others than expected.</summary>
    public Action<string>? Log { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>What tells this process from all others, so that nobody asks himself.</summary>
    internal Digest Incarnation { get; } = new(Guid.NewGuid().ToByteArray().Concat(Guid.NewGuid().ToByteArray()).ToArray());
}
