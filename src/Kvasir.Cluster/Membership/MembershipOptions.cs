using System.Net;
using System.Security.Cryptography.X509Certificates;
using Kvasir.RemoteTiers.Settings;

namespace Kvasir.Cluster.Membership;

/// <summary>Where the members of a cluster find one another.</summary>
public sealed record MembershipOptions
{
    /// <summary>The server, of Redis's protocol, with the list of members; its prefix keeps clusters apart.</summary>
    public required RemoteTierOptions Store { get; init; }

    /// <summary>What this process tells of itself.</summary>
    public required Member Self { get; init; }

    /// <summary>Where the others look whether it lives; port 0 takes a free one.</summary>
    public required IPEndPoint Endpoint { get; init; }

    /// <summary>The certificate of the members, who speak TLS with it; null speaks in the clear, for loopback addresses only.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>Hears of members that come and go, and of what is wrong, a line each.</summary>
    public Action<string>? Log { get; init; }

    /// <exception cref="ArgumentException">Somebody who is no member could be one.</exception>
    internal void Validate()
    {
        if (Store.Address.Protocol != StoreProtocol.Redis)
            throw new ArgumentException($"{Store.Address}: expected a store of Redis's protocol, redis://HOST or rediss://HOST");
        if (!IPAddress.IsLoopback(Endpoint.Address) && Certificate is null)
            throw new ArgumentException($"{Endpoint}: reachable from other machines, expected the cluster's certificate, or a loopback address");
    }
}
