using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Cluster.Routing;
using Kvasir.KvCache.Routing;
using Kvasir.Server;
using Kvasir.Tests.Server;

namespace Kvasir.Tests.Cluster;

/// <summary>A router before servers in this process.</summary>
sealed class RouterFixture : IAsyncDisposable
{
    readonly List<string> _lines = [];

    RouterFixture(RouterOptions options) => Router = new KvasirRouter(options with { Port = 0, Log = Note });

    public KvasirRouter Router { get; }

    public HttpClient Client { get; } = new();

    /// <summary>What it said so far.</summary>
    public string[] Lines
    {
        get
        {
            lock (_lines)
                return [.. _lines];
        }
    }

    public static async Task<RouterFixture> Start(IEnumerable<string> nodes, RoutingPolicyKind policy = RoutingPolicyKind.Prefix,
        string? nodeKey = null)
    {
        RouterFixture fixture = new(new RouterOptions
        {
            Nodes = [.. nodes.Select(RouterOptions.ParseNode)], Policy = policy, NodeKey = nodeKey,
        });
        await fixture.Router.Start(ServerFixture.Patience);
        fixture.Client.BaseAddress = new Uri(fixture.Router.Address);
        return fixture;
    }

    /// <summary>Servers, and a router before them.</summary>
    public static async Task<RouterFixture> StartWith(int nodes, RoutingPolicyKind policy = RoutingPolicyKind.Prefix,
        ServerOptions? options = null, string? nodeKey = null)
    {
        ServerFixture[] servers = await Task.WhenAll(Enumerable.Range(0, nodes).Select(_ => ServerFixture.Start(options: options)));
        RouterFixture router = await Start(servers.Select(server => server.Server.Address), policy, nodeKey);
        router.Servers = servers;
        return router;
    }

    /// <summary>Its nodes, if it has some of its own.</summary>
    public ServerFixture[] Servers { get; private set; } = [];

    public Node Node(ServerFixture server) => Router.Nodes.All.Single(node => node.Address == new Uri(server.Server.Address));

    /// <summary>A prompt of some pieces.</summary>
    public static JsonObject Prompt(int kind, int words = 40, int maxTokens = 4) => new()
    {
        ["prompt"] = $"Story {kind}. " + ServerFixture.LongText(words, kind), ["max_tokens"] = maxTokens, ["temperature"] = 0,
        ["ignore_eos"] = true,
    };

    public async Task<HttpResponseMessage> Post(string path, JsonNode body, params (string Name, string Value)[] headers)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, path)
        {
            Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json"),
        };
        foreach ((string name, string value) in headers)
            request.Headers.Add(name, value);
        return await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ServerFixture.Patience);
    }

    /// <summary>The answer of a request that has to succeed, and who gave it.</summary>
    public async Task<(JsonElement Answer, string Node)> Ask(string path, JsonNode body, params (string Name, string Value)[] headers)
    {
        using HttpResponseMessage response = await Post(path, body, headers);
        string text = await response.Content.ReadAsStringAsync(ServerFixture.Patience);
        Assert.True(response.IsSuccessStatusCode, $"{path}: {(int)response.StatusCode} {text}");
        return (JsonElement.Parse(text), response.Headers.GetValues("X-Kvasir-Node").Single());
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Router.DisposeAsync();
        foreach (ServerFixture server in Servers)
            await server.DisposeAsync();
    }

    void Note(string line)
    {
        lock (_lines)
            _lines.Add(line);
    }
}
