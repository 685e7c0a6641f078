using System.CommandLine;
using System.Net;
using Kvasir.Cli.Configuration;
using Kvasir.Cluster;
using Kvasir.Cluster.Membership;
using Kvasir.Cluster.Peers;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.RemoteTiers.Settings;

namespace Kvasir.Cli.Flags;

/// <summary>The flags that say which part a server has among the nodes of a cluster.</summary>
sealed class ClusterFlags
{
    readonly Setting<string?> _role = new("--role")
    {
        Description = "What this node does for others: prefill computes their prompts, decode has its own computed by them, both does neither "
            + "or, with --peer-listen, the first",
        Usual = "both",
        HelpName = "ROLE",
    };
    readonly Setting<string[]> _peers = new("--peers")
    {
        Description = "Where prefill nodes answer a decode node; several, or separated by commas", HelpName = "HOST:PORT",
    };
    readonly Setting<string?> _listen = new("--peer-listen")
    {
        Description = "Where decode nodes ask this one for prompts; any but a loopback address needs --peer-key-file or --peer-cert",
        Usual = "for a prefill node, --host and the port after --port",
        HelpName = "ADDRESS:PORT",
    };
    readonly Setting<string?> _key = new("--peer-key-file")
    {
        Description = "File of the secret of all nodes, 32 bytes or 64 hexadecimal digits, for its owner only", HelpName = "FILE", IsPath = true,
    };
    readonly Setting<string?> _certificate = MemberFlags.NewCertificate();
    readonly Setting<string?> _name = new("--node-name")
    {
        Description = "What this node is called", Usual = "the machine's name and --port", HelpName = "NAME",
    };

    readonly MemberFlags _member;

    public ClusterFlags() => _member = new MemberFlags(_certificate);

    public void AddTo(Command verb)
    {
        foreach (Option option in (Option[])[_role, _peers, _listen, _key, _certificate, _name])
            verb.Options.Add(option);
        _member.AddTo(verb);
    }

    /// <summary>The node's place, given where it serves.</summary>
    public ClusterPlace Read(ParseResult parsed, IPAddress address, int port)
    {
        NodeRole role = parsed.GetValue(_role) is not { } name ? NodeRole.Both
            : Enum.GetValues<NodeRole>().Cast<NodeRole?>().FirstOrDefault(one => one!.Value.Name() == name)
                ?? throw new UsageException($"--role {Printable.Quote(name)}: expected prefill, decode or both");
        PeerAddress[] peers = Peers(parsed);
        MembershipPlace? cluster = _member.Read(parsed, address, port);
        if (role == NodeRole.Decode && peers.Length == 0 && cluster is null)
            throw new UsageException("--role decode: expected --peers HOST:PORT, who compute its prompts, or --cluster, whose members say so");
        if (peers.Length > 0 && cluster is not null)
            throw new UsageException("--peers: the members of --cluster say who computes prompts, expected one of both");
        if (role != NodeRole.Decode && peers.Length > 0)
            throw new UsageException($"--peers: a node of role {role.Name()} computes its prompts itself, expected --role decode");
        IPEndPoint? listen = Listen(parsed, role, address, port);
        bool isAlone = role == NodeRole.Both && listen is null && cluster is null && parsed.GetValue(_name) is null;
        PeerOptions options = new()
        {
            Name = NodeName(parsed, port),
            Key = parsed.GetValue(_key) is { } key ? SecretFile.ReadKey(key) : null,
            Certificate = MemberFlags.Certificate(parsed, _certificate),
            Log = line => Terminal.Line($"cluster: {Printable.Line(line, 4096)}"),
        };
        if (listen is not null && !IPAddress.IsLoopback(listen.Address) && options is { Key: null, Certificate: null })
            throw new UsageException($"--peer-listen {listen}: reachable from other machines, expected --peer-key-file or --peer-cert, "
                + "or a loopback address");
        return new ClusterPlace(isAlone ? null : options.Name, role, options, listen, role == NodeRole.Decode
            ? new PrefillNodes(options, peers) : null, cluster);
    }

    PeerAddress[] Peers(ParseResult parsed)
    {
        try
        {
            return [.. (parsed.GetValue(_peers) ?? []).SelectMany(list => list.Split(',', StringSplitOptions.TrimEntries))
                .Select(PeerAddress.Parse).Distinct()];
        }
        catch (FormatException e)
        {
            throw new UsageException($"--peers {e.Message}");
        }
    }

    IPEndPoint? Listen(ParseResult parsed, NodeRole role, IPAddress address, int port)
    {
        if (parsed.GetValue(_listen) is not { } text)
            return role == NodeRole.Prefill ? new IPEndPoint(address, port == 0 ? 0 : port + 1) : null;
        if (role == NodeRole.Decode)
            throw new UsageException("--peer-listen: a decode node computes nothing for others, expected --role prefill or both");
        return text.Contains(':', StringComparison.Ordinal) && IPEndPoint.TryParse(text, out IPEndPoint? endpoint) ? endpoint
            : throw new UsageException($"--peer-listen {Printable.Quote(text)}: expected ADDRESS:PORT, such as 0.0.0.0:8081");
    }

    string NodeName(ParseResult parsed, int port)
    {
        if (parsed.GetValue(_name) is not { } name)
            return $"{Environment.MachineName}:{port}";
        return name.Length is > 0 and <= 100 && name.All(letter => letter is > ' ' and <= '~') ? name
            : throw new UsageException($"--node-name {Printable.Quote(name)}: expected 1 to 100 letters of ASCII without spaces");
    }
}

/// <summary>A server's place among the nodes of a cluster.</summary>
/// <param name="Name">What it is called; null when it is alone.</param>
/// <param name="Role">What it does for others.</param>
/// <param name="Options">How nodes reach one another.</param>
/// <param name="Endpoint">Where it answers others; null where it does not.</param>
/// <param name="PrefillNodes">Who computes its prompts; null where it does.</param>
/// <param name="Cluster">Where the others are found; null where they are named, or there are none.</param>
sealed record ClusterPlace(string? Name, NodeRole Role, PeerOptions Options, IPEndPoint? Endpoint, PrefillNodes? PrefillNodes,
    MembershipPlace? Cluster) : IDisposable
{
    /// <summary>Whether blocks come from other nodes, or go there.</summary>
    public bool MovesBlocks => Endpoint is not null || PrefillNodes is not null;

    /// <summary>The options of an engine of this node.</summary>
    public EngineOptions Join(EngineOptions engine) => PrefillNodes?.Serve(engine) ?? engine;

    /// <summary>Begins to answer others, if it does.</summary>
    public PrefillServer? Listen(InferenceEngine engine)
    {
        if (Endpoint is null)
            return null;
        PrefillServer server = new(engine, Options, Endpoint);
        Options.Log?.Invoke($"computes prompts for others at {server.Endpoint}");
        return server;
    }

    /// <summary>Begins to belong to a cluster, if it does, and keeps to its members.</summary>
    /// <param name="address">Where this node answers requests.</param>
    /// <param name="peers">Where it computes prompts for others; null where it does not.</param>
    public ClusterMembership? Belong(string address, PrefillServer? peers)
    {
        if (Cluster is null)
            return null;
        ClusterMembership membership = Cluster.New(Options.Name, Role, new Uri(address), peers?.Endpoint.Port, Options.Log);
        membership.Changed += members => PrefillNodes?.Set(members.Where(member => member.Peer is not null).Select(member => member.Peer!));
        return membership.Start();
    }

    public void Dispose()
    {
        PrefillNodes?.Dispose();
        Options.Certificate?.Dispose();
    }
}
