using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Kvasir.Cli.Configuration;
using Kvasir.Cluster;
using Kvasir.Cluster.Membership;
using Kvasir.Cluster.Peers;
using Kvasir.Formats;
using Kvasir.RemoteTiers.Settings;

namespace Kvasir.Cli.Flags;

/// <summary>The flags of who belongs to a cluster whose members find one another.</summary>
/// <param name="certificate">The flag of the certificate that members speak TLS with.</param>
sealed class MemberFlags(Option<string?> certificate)
{
    readonly Setting<string?> _cluster = new("--cluster")
    {
        Description = "Where the members of the cluster find one another: a store such as redis://HOST[:PORT][?prefix=NAME], with scripts",
        HelpName = "URL",
        IsSecret = true, // it may hold a password
    };
    readonly Setting<string?> _password = new("--cluster-password-file")
    {
        Description = "File of the store's password, for its owner only", HelpName = "FILE", IsPath = true,
    };
    readonly Setting<string?> _listen = new("--cluster-listen")
    {
        Description = "Where other members look whether this one lives; any but a loopback address needs --peer-cert",
        Usual = "a loopback address and a free port",
        HelpName = "ADDRESS:PORT",
    };
    readonly Setting<string?> _advertise = new("--advertise")
    {
        Description = "Name or address under which others reach this machine", Usual = "--host, or the machine's name", HelpName = "HOST",
    };

    /// <summary>The flag of the certificate.</summary>
    public static Setting<string?> NewCertificate() => new("--peer-cert")
    {
        Description = "PEM file of a certificate and its key: members speak TLS 1.3, and trust this one and those that it has signed",
        HelpName = "FILE",
        IsPath = true,
    };

    public void AddTo(Command verb)
    {
        foreach (Option option in (Option[])[_cluster, _password, _listen, _advertise])
            verb.Options.Add(option);
    }

    /// <summary>The place of a member; null of who is none.</summary>
    public MembershipPlace? Read(ParseResult parsed, IPAddress address, int port)
    {
        if (parsed.GetValue(_cluster) is not { } url)
            return Given(parsed, _listen, _advertise, _password) is { } vain
                ? throw new UsageException($"{vain}: for the members of --cluster only") : null;
        try
        {
            RemoteAddress store = RemoteAddress.Parse(url);
            if (store.Protocol != StoreProtocol.Redis)
                throw new FormatException("expected redis://HOST or rediss://HOST");
            IPEndPoint listen = Listen(parsed);
            X509Certificate2? shown = Certificate(parsed, certificate);
            if (!IPAddress.IsLoopback(listen.Address) && shown is null)
                throw new UsageException($"--cluster-listen {listen}: reachable from other machines, expected --peer-cert, or a loopback address");
            string host = parsed.GetValue(_advertise) ?? (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)
                ? Dns.GetHostName() : address.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{address}]" : $"{address}");
            if (Uri.CheckHostName(host.Trim('[', ']')) == UriHostNameType.Unknown)
                throw new UsageException($"--advertise {Printable.Quote(host)}: expected a name or an address");
            return new MembershipPlace(new RemoteTierOptions
            {
                Address = store, Password = parsed.GetValue(_password) is { } file ? SecretFile.ReadPassword(file) : null,
            }, listen, host, shown);
        }
        catch (FormatException e)
        {
            throw new UsageException($"--cluster: {e.Message}");
        }
    }

    IPEndPoint Listen(ParseResult parsed) => parsed.GetValue(_listen) is not { } text ? new IPEndPoint(IPAddress.Loopback, 0)
        : text.Contains(':', StringComparison.Ordinal) && IPEndPoint.TryParse(text, out IPEndPoint? endpoint)
            && !endpoint.Address.Equals(IPAddress.Any) && !endpoint.Address.Equals(IPAddress.IPv6Any)
            ? endpoint : throw new UsageException($"--cluster-listen {Printable.Quote(text)}: expected ADDRESS:PORT, the address one of this machine's");

    /// <summary>The certificate of a cluster; null where none is named.</summary>
    public static X509Certificate2? Certificate(ParseResult parsed, Option<string?> flag)
    {
        if (parsed.GetValue(flag) is not { } file)
            return null;
        try
        {
            using X509Certificate2 read = X509Certificate2.CreateFromPemFile(file);
            return X509CertificateLoader.LoadPkcs12(read.Export(X509ContentType.Pfx), null); // its key may be used for TLS everywhere then
        }
        catch (CryptographicException e)
        {
            throw new UsageException($"{flag.Name} {Printable.Quote(file)}: {e.Message}; expected a certificate and its private key in PEM");
        }
    }

    /// <summary>The first of some flags that the command line has; null when it has none.</summary>
    static string? Given(ParseResult parsed, params Option[] flags) =>
        flags.FirstOrDefault(flag => parsed.GetResult(flag) is { Implicit: false })?.Name;
}

/// <summary>Where a member of a cluster finds the others, and where they find it.</summary>
/// <param name="Store">The store with the list of members.</param>
/// <param name="Endpoint">Where the others look whether it lives.</param>
/// <param name="Host">Under which name they reach its machine.</param>
/// <param name="Certificate">What members speak TLS with; null in the clear.</param>
sealed record MembershipPlace(RemoteTierOptions Store, IPEndPoint Endpoint, string Host, X509Certificate2? Certificate)
{
    /// <summary>A membership, to be started.</summary>
    /// <param name="name">What the member is called.</param>
    /// <param name="role">What it does for others; null of a router.</param>
    /// <param name="address">Where it answers requests.</param>
    /// <param name="peerPort">The port at which it computes prompts for others; null where it does not.</param>
    /// <param name="log">Hears of others.</param>
    public ClusterMembership New(string name, NodeRole? role, Uri address, int? peerPort, Action<string>? log) => new(new MembershipOptions
    {
        Store = Store, Endpoint = Endpoint, Certificate = Certificate, Log = log,
        Self = new Member(name, role, new UriBuilder(address.Scheme, Host, address.Port).Uri,
            peerPort is { } port ? new PeerAddress(Host.Trim('[', ']'), port) : null),
    });
}
