using System.Net;
using Kvasir.Cluster;
using Kvasir.Cluster.Peers;
using Kvasir.KvCache.Retention;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;

namespace Kvasir.Server;

/// <summary>Where a server listens, whom it answers, and how much it takes.</summary>
public sealed record ServerOptions
{
    /// <summary>The address to listen on. Any but a loopback address needs keys.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port; 0 takes a free one.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>What stands before all paths, such as <c>/llm</c>; empty for nothing.</summary>
    public string PathPrefix { get; init; } = "";

    /// <summary>Who may ask; none lets anybody who reaches the server.</summary>
    public IReadOnlyList<ApiKey> ApiKeys { get; init; } = [];

    /// <summary>Names that the server goes by, besides localhost and its addresses.</summary>
    public IReadOnlyList<string> AllowedHosts { get; init; } = [];

    /// <summary>
    /// Other origins whose pages may ask, such as <c>https://chat.example.org</c>, <c>http://localhost:*</c> for any port or
    /// <c>vscode-webview://*</c> for all of a scheme; <c>local</c> for the pages of this machine and its programs; with keys, which admit
    /// those anyway, <c>null</c> for pages that have none, such as files, and <c>*</c> for all of them.
    /// </summary>
    public IReadOnlyList<string> AllowedOrigins { get; init; } = [];

    /// <summary>The name under which the model is served; null takes the model's own.</summary>
    public string? ModelId { get; init; }

    /// <summary>Further names of the model: each is listed, and an answer calls it as the request did.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>Words that the list of models has beside the model, for who looks for one; they change nothing else.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Whether the model answers to every name, for clients that bring one of their own and let nobody change it.</summary>
    public bool AnswersToAllNames { get; init; }

    /// <summary>What this server is called among the nodes of a cluster; null when it is alone.</summary>
    public string? NodeName { get; init; }

    /// <summary>What it does for the others.</summary>
    public NodeRole Role { get; init; }

    /// <summary>Who computes its prompts; null when it does. The engine's options have to know them, too.</summary>
    public PrefillNodes? PrefillNodes { get; init; }

    /// <summary>A chat template (Jinja) instead of the model's own; a model without either is asked in ChatML.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>What holds where requests say nothing.</summary>
    public RequestDefaults Defaults { get; init; } = new();

    /// <summary>Whether <c>/slots</c> tells what runs.</summary>
    public bool ShowsSlots { get; init; } = true;

    /// <summary>The directory in which <c>/slots</c> saves keys and values under names of clients; null for none.</summary>
    public string? SlotFolder { get; init; }

    /// <summary>Whether there is a page at <c>/</c>.</summary>
    public bool HasDashboard { get; init; } = true;

    /// <summary>Through what requests that name no policy are answered; null for exactly.</summary>
    public RetentionPolicy? Retention { get; init; }

    /// <summary>The policies that requests may name, besides that one and none; null for any.</summary>
    public IReadOnlyList<RetentionPolicy>? AllowedRetention { get; init; } = [];

    /// <summary>Most bytes of a request's body.</summary>
    public long MaxBodyBytes { get; init; } = 16 << 20;

    /// <summary>Most choices of one request.</summary>
    public int MaxChoices { get; init; } = 16;

    /// <summary>Whether those who may see the cache may see the texts in it.</summary>
    public bool ShowsText { get; init; }

    /// <summary>Whether <c>/metrics</c> has vLLM's names too.</summary>
    public bool VllmMetrics { get; init; }

    /// <summary>Where to send traces and metrics by OTLP; null sends none.</summary>
    public Uri? OtlpEndpoint { get; init; }

    /// <summary>A new file to record requests to, for simulations: counts and salted hashes, never text. Null records nothing.</summary>
    public string? RecordTo { get; init; }

    /// <summary>
    /// How long requests that run may take to end when the server stops; then they are cancelled, and what they computed stays.
    /// </summary>
    public TimeSpan ShutdownTime { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Told of every request when it is over, and of what goes wrong inside: a line of counts and names, never text.</summary>
    public Action<string>? Log { get; init; }

    /// <summary>Whether <see cref="Log"/> has a line for every request; what goes wrong inside has one in any case.</summary>
    public bool LogsRequests { get; init; } = true;

    /// <summary>
    /// Whether those lines are JSON objects, each with the field <c>event</c>: <c>request</c>, <c>error</c> or <c>note</c>.
    /// </summary>
    public bool LogsJson { get; init; }

    internal void Validate()
    {
        if (ApiKeys.Count == 0 && !IPAddress.IsLoopback(Address))
            throw new ArgumentException($"host {Address}: reachable from other machines, expected an API key with it (--api-key, "
                + $"--api-key-file or KVASIR_API_KEY)");
        Http.PathPrefix.Validate(PathPrefix);
        foreach (string origin in AllowedOrigins)
            Validate(origin);
        if (Port is < 0 or > 65535)
            throw new ArgumentException($"port: {Port}, expected 0 to 65535");
        foreach (string name in Aliases.Append(ModelId ?? "default"))
            if (name.Length is 0 or > 200 || name.Any(char.IsControl))
                throw new ArgumentException($"model name {Formats.Printable.Quote(name)}: expected 1 to 200 characters");
    }

    /// <summary>What no browser sends would let nobody in, and say nothing.</summary>
    void Validate(string origin)
    {
        var allowed = AllowedOrigin.Parse(origin);
        if (allowed.NeedsKey && ApiKeys.Count == 0)
            throw new ArgumentException($"origin '{origin}': any page that a browser here opens could ask, expected an API key with it "
                + "(--api-key, --api-key-file or KVASIR_API_KEY), or the page's own origin");
    }
}
