using System.CommandLine;
using System.Runtime.InteropServices;
using Kvasir.Cli.Configuration;
using Kvasir.Cluster.Membership;
using Kvasir.Cluster.Routing;
using Kvasir.Formats;
using Kvasir.KvCache.Routing;
using Kvasir.RemoteTiers.Settings;
using Kvasir.Server.Dashboard;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir route</c>: stands before nodes that serve the same model, and passes each request to the right one.</summary>
static class RouteVerb
{
    const int DefaultPort = 8090;

    static readonly (string Name, RoutingPolicyKind Kind)[] s_policies =
    [
        ("prefix", RoutingPolicyKind.Prefix), ("affinity", RoutingPolicyKind.Affinity), ("random", RoutingPolicyKind.Random),
        ("round-robin", RoutingPolicyKind.RoundRobin),
    ];

    static readonly ListenFlags s_listen = new("nodes that want API keys", DefaultPort);
    static readonly Setting<string[]> s_nodes = new("--node")
    {
        Description = "Address of a node (kvasir serve), such as http://10.0.0.1:8080; may be given several times, or with commas",
        HelpName = "URL",
        OtherVariables = ["KVASIR_NODES"],
    };
    static readonly Setting<string> s_policy = new("--policy")
    {
        Description = "How a node is chosen: by who has most of the prompt and least to do (prefix), by conversation alone (affinity), "
            + "random, round-robin",
        DefaultValueFactory = _ => "prefix", HelpName = "NAME",
    };
    static readonly Setting<string?> s_key = new("--node-key-file")
    {
        Description = "File of an API key with which the router asks nodes for their events (scope metrics), for its owner only",
        HelpName = "FILE", IsPath = true,
    };
    static readonly Setting<string?> s_certificate = MemberFlags.NewCertificate();
    static readonly MemberFlags s_member = new(s_certificate);
    static readonly Setting<string?> s_otlp = new("--otlp-endpoint")
    {
        Description = "Send traces there by OTLP, and what a server measures; OTEL_EXPORTER_OTLP_ENDPOINT says the same",
        HelpName = "URL",
        OtherVariables = ["OTEL_EXPORTER_OTLP_ENDPOINT"],
    };
    static readonly Option<bool> s_json = new("--json")
    {
        Description = "Print one JSON object a line instead: where it listens, what becomes of nodes, and that it stops",
    };

    public static Command Create()
    {
        Command verb = new("route");
        s_listen.AddTo(verb);
        foreach (Option option in (Option[])[s_nodes, s_policy, s_key, s_certificate, s_otlp, s_json])
            verb.Options.Add(option);
        s_member.AddTo(verb);
        verb.SetAction(parsed =>
        {
            RouterOptions options = Options(parsed);
            MembershipPlace? cluster = s_member.Read(parsed, options.Address, options.Port);
            if (cluster is not null && options.Nodes.Count > 0)
                throw new UsageException("--node: the members of --cluster say who is there, expected one of both");
            return Run(options with { NodesComeAndGo = cluster is not null }, cluster, parsed.GetValue(s_json)).GetAwaiter().GetResult();
        });
        return verb;
    }

    static async Task<int> Run(RouterOptions options, MembershipPlace? cluster, bool json)
    {
        await using KvasirRouter router = new(options with { Log = Note });
        TaskCompletionSource stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using PosixSignalRegistration interrupt = ServeVerb.OnSignal(PosixSignal.SIGINT, stop),
            terminate = ServeVerb.OnSignal(PosixSignal.SIGTERM, stop);
        await router.Start();
        using ClusterMembership? membership = cluster?.New($"router-{Environment.MachineName}:{new Uri(router.Address).Port}", null,
            new Uri(router.Address), null, line => Note($"cluster: {line}"));
        if (membership is not null)
            membership.Changed += members => router.SetNodes(
                [.. members.Where(member => member.Role is not null).Select(member => member.Address)]);
        membership?.Start();
        Tell(RouteStart.Of(options, router), $"routing to {router.AliveNodes} of {options.Nodes.Count} nodes at {router.Address} "
            + $"({NameOf(options.Policy)}); dashboard: {router.Address}/");
        await stop.Task;
        await router.Stop();
        Tell(new ServeEvent("stopped"), "stopped");
        return ExitCode.Ok;

        void Note(string line) => Tell(new RouteNote("note", line), line);

        void Tell<T>(T report, string text)
        {
            if (json)
                VerbJson.Write(report);
            else
                Terminal.Line(text);
        }
    }

    internal static string NameOf(RoutingPolicyKind policy) => Array.Find(s_policies, named => named.Kind == policy).Name;

    static RouterOptions Options(ParseResult parsed)
    {
        string name = parsed.GetRequiredValue(s_policy);
        (string? known, RoutingPolicyKind policy) = Array.Find(s_policies, policy => policy.Name == name);
        return new RouterOptions
        {
            Nodes = [.. (parsed.GetValue(s_nodes) ?? []).SelectMany(list => list.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries))
                .Select(RouterOptions.ParseNode)],
            Address = s_listen.Address(parsed),
            Port = s_listen.Port(parsed),
            Policy = known is not null ? policy : throw new UsageException(
                $"--policy {Printable.Quote(name)}: expected {string.Join(", ", s_policies.Select(one => one.Name))}"),
            NodeKey = parsed.GetValue(s_key) is { } file ? SecretFile.ReadPassword(file) : null,
            OtlpEndpoint = ServeVerb.Collector(parsed.GetValue(s_otlp)),
            Pages = Pages.Map,
        };
    }
}

/// <summary>The first line of <c>route --json</c>, once the router listens.</summary>
/// <param name="Event"><c>started</c>.</param>
/// <param name="Address">Where it listens.</param>
/// <param name="Policy">How a node is chosen.</param>
/// <param name="Nodes">The nodes.</param>
/// <param name="Alive">How many of them are there.</param>
sealed record RouteStart(string Event, string Address, string Policy, IReadOnlyList<string> Nodes, int Alive)
{
    public static RouteStart Of(RouterOptions options, KvasirRouter router) => new("started", router.Address,
        RouteVerb.NameOf(options.Policy), [.. options.Nodes.Select(node => node.OriginalString)], router.AliveNodes);
}

/// <summary>A later line: <c>note</c>, what became of a node.</summary>
sealed record RouteNote(string Event, string Text);
