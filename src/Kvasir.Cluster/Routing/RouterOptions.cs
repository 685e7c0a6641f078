using System.Net;
using Kvasir.Formats;
using Kvasir.KvCache.Routing;
using Microsoft.AspNetCore.Routing;

namespace Kvasir.Cluster.Routing;

/// <summary>Where a router listens, before which nodes it stands, and how it chooses among them.</summary>
public sealed record RouterOptions
{
    /// <summary>The nodes, such as <c>http://10.0.0.1:8080</c>; at least one, unless others come later.</summary>
    public required IReadOnlyList<Uri> Nodes { get; init; }

    /// <summary>Whether nodes come and go, and <see cref="KvasirRouter.SetNodes"/> says who is there.</summary>
    public bool NodesComeAndGo { get; init; }

    /// <summary>The address to listen on. The nodes decide who is answered.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port; 0 takes a free one.</summary>
    public int Port { get; init; } = 8090;

    /// <summary>How a node is chosen.</summary>
    public RoutingPolicyKind Policy { get; init; } = RoutingPolicyKind.Prefix;

    /// <summary>The API key with which the router asks nodes for their events; null where they need none.</summary>
    public string? NodeKey { get; init; }

    /// <summary>Most bytes of a body that the router keeps until it is answered, to send it elsewhere when a node fails.</summary>
    public int MaxBodyBytes { get; init; } = 16 << 20;

    /// <summary>Adds the pages of a dashboard; null adds none.</summary>
    public Action<IEndpointRouteBuilder>? Pages { get; init; }

    /// <summary>Where to send traces and metrics by OTLP; null sends none.</summary>
    public Uri? OtlpEndpoint { get; init; }

    /// <summary>How long requests that run may take to end when the router stops.</summary>
    public TimeSpan ShutdownTime { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Told what becomes of nodes: a line each.</summary>
    public Action<string>? Log { get; init; }

    /// <summary>Reads the address of a node.</summary>
    /// <exception cref="ArgumentException">It is none; the message says what was expected.</exception>
    public static Uri ParseNode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Uri.TryCreate(text, UriKind.Absolute, out Uri? node) && node.Scheme is "http" or "https"
            && node is { PathAndQuery: "/", UserInfo: "", Fragment: "" }
            ? node
            : throw new ArgumentException($"--node {Printable.Quote(text)}: expected scheme, host and port, such as http://10.0.0.1:8080");
    }

    internal void Validate()
    {
        if (Nodes.Count == 0 && !NodesComeAndGo)
            throw new ArgumentException("--node: there is none, expected at least one, such as http://10.0.0.1:8080");
        if (Nodes.GroupBy(Place).FirstOrDefault(same => same.Count() > 1) is { } twice)
            throw new ArgumentException($"--node {twice.Last().OriginalString}: named twice, expected each node once");
        if (Port > 0 && Nodes.FirstOrDefault(node => node.Port == Port && IsOwn(node)) is { } self)
            throw new ArgumentException($"--node {self.OriginalString}: that is the router itself, expected nodes (`kvasir serve`)");
    }

    static string Place(Uri node) => $"{(node.Host == "localhost" ? "127.0.0.1" : node.Host)}:{node.Port}";

    bool IsOwn(Uri node)
    {
        bool isHere = node.IsLoopback || node.Host.Equals(Dns.GetHostName(), StringComparison.OrdinalIgnoreCase);
        bool isAny = Address.Equals(IPAddress.Any) || Address.Equals(IPAddress.IPv6Any);
        return isHere && (isAny || IPAddress.IsLoopback(Address)) || node.Host.Trim('[', ']') == Address.ToString();
    }
}
