using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Kvasir.KvCache.Routing;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Cluster.Routing;

/// <summary>
/// What the nodes do, together: for people as JSON behind a page, for Prometheus as text. The router holds no keys, so it shows this to
/// whom a node shows its own; while none is there, to whom one did before.
/// </summary>
sealed class FleetView(NodeList nodes, HttpMessageInvoker http, RoutingPolicyKind policy)
{
    const int Version = 1, MostRemembered = 256, MostBytes = 1 << 20;

    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    readonly Lock _gate = new();
    readonly Queue<string> _shown = new(); // digests of what those showed who were let in
    readonly long _start = Stopwatch.GetTimestamp();

    /// <summary><c>GET /v1/fleet</c>.</summary>
    public async Task Write(HttpContext context)
    {
        Dictionary<Node, Told> told = await Ask(context, "/v1/kv/stats", [.. nodes.All.Where(node => node.IsAlive)]);
        if (!await IsLetIn(context, "/v1/kv/stats", told))
            return;
        FleetAnswer answer = new(Version, PolicyName(), Stopwatch.GetElapsedTime(_start).TotalSeconds,
            [.. nodes.All.Select(node => FleetNode.Of(node, nodes.Prefixes.Count(node.Number), StatsOf(told, node)))]);
        await context.Response.WriteAsJsonAsync(answer, FleetJson.Default.FleetAnswer, cancellationToken: context.RequestAborted);
    }

    /// <summary><c>GET /metrics</c>.</summary>
    public async Task WriteMetrics(HttpContext context)
    {
        if (!await IsLetIn(context, "/metrics", await Ask(context, "/metrics", [.. nodes.All.Where(node => node.IsAlive).Take(1)])))
            return;
        context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        await context.Response.WriteAsync(FleetMetrics.Of(nodes), context.RequestAborted);
    }

    string PolicyName() => policy == RoutingPolicyKind.RoundRobin ? "round-robin" : policy.ToString().ToLowerInvariant();

    static JsonElement? StatsOf(Dictionary<Node, Told> told, Node node)
    {
        try
        {
            return told.TryGetValue(node, out Told? answer) && answer.Status == HttpStatusCode.OK ? JsonElement.Parse(answer.Body) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Whether who asks may see it; if not, he is told what the node told him.</summary>
    async Task<bool> IsLetIn(HttpContext context, string path, Dictionary<Node, Told> told)
    {
        string shown = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(
            $"{path}\n{context.Request.Host}\n{context.Request.Headers.Authorization}\n{context.Request.Headers["X-Api-Key"]}")));
        lock (_gate)
            if (told.Values.Any(answer => answer.Status == HttpStatusCode.OK))
            {
                if (!_shown.Contains(shown))
                    _shown.Enqueue(shown);
                if (_shown.Count > MostRemembered)
                    _shown.Dequeue();
                return true;
            }
            else if (told.Count == 0 && _shown.Contains(shown))
                return true;
        if (told.Values.FirstOrDefault() is not { } refusal)
        {
            await RouterErrors.Write(context, 503, "no_node", "no node is there that could say who may see this: try again soon");
            return false;
        }
        (context.Response.StatusCode, context.Response.ContentType) = ((int)refusal.Status, "application/json; charset=utf-8");
        await context.Response.Body.WriteAsync(refusal.Body, context.RequestAborted);
        return false;
    }

    /// <summary>What nodes tell whoever asks, by his key; without those that say nothing in time.</summary>
    async Task<Dictionary<Node, Told>> Ask(HttpContext context, string path, Node[] asked)
    {
        Told?[] answers = await Task.WhenAll(asked.Select(node => Ask(context, path, node)));
        return asked.Zip(answers).Where(pair => pair.Second is not null).ToDictionary(pair => pair.First, pair => pair.Second!);
    }

    async Task<Told?> Ask(HttpContext context, string path, Node node)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        patience.CancelAfter(s_patience);
        try
        {
            using HttpRequestMessage request = new(HttpMethod.Get, new Uri(node.Address, path));
            request.Headers.Host = context.Request.Host.Value;
            foreach (string name in (string[])["Authorization", "X-Api-Key", "Origin"])
                if (context.Request.Headers.TryGetValue(name, out var values))
                    request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
            using HttpResponseMessage response = await http.SendAsync(request, patience.Token);
            await response.Content.LoadIntoBufferAsync(MostBytes, patience.Token);
            return new Told(response.StatusCode, await response.Content.ReadAsByteArrayAsync(patience.Token));
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            return null;
        }
    }

    sealed record Told(HttpStatusCode Status, byte[] Body);
}

/// <summary>The fleet at this moment.</summary>
sealed record FleetAnswer(int Version, string Policy, double UptimeS, IReadOnlyList<FleetNode> Nodes);

/// <summary>A node at this moment; <c>stats</c> is its own <c>/v1/kv/stats</c>.</summary>
sealed record FleetNode(
    string Name, string Address, bool Alive, string? Problem, double SinceS, string? Role, string? Model, string? Fingerprint,
    string? Incarnation, int Running, int Waiting, long QueuedTokens, double PrefillTokensPerS, int InFlight, int KnownPieces,
    long RoutedRequests, long RetriedRequests, long FailedRequests, long HintedRequests, long HintedPieces, long LostPieces,
    JsonElement? Stats)
{
    public static FleetNode Of(Node node, int known, JsonElement? stats)
    {
        NodeLoad load = node.Load;
        string? problem = node.Problem;
        NodeCounts counts = node.Counts;
        return new FleetNode(node.Name, node.Address.GetLeftPart(UriPartial.Authority), problem is null, problem, node.Since.TotalSeconds,
            node.Hello?.Role, node.Hello?.Model, node.Hello?.Fingerprint, node.Hello?.Incarnation, load.Running, load.Waiting,
            load.QueuedTokens, load.PrefillTokensPerSecond, node.InFlight, known, counts.RoutedRequests, counts.RetriedRequests,
            counts.FailedRequests, counts.HintedRequests, counts.HintedPieces, counts.LostPieces, stats);
    }
}

/// <summary>The fleet as JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(FleetAnswer))]
sealed partial class FleetJson : JsonSerializerContext;
