using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Server;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary>A server, of the embedded model unless said otherwise, on a free port, with a cache of its own.</summary>
sealed class ServerFixture : IAsyncDisposable
{
    readonly LanguageModel _model;
    readonly TemporaryFolder _folder = new();

    ServerFixture(EngineOptions? engine, ServerOptions? options, bool hasDisk, string? model, ScriptedModel? script)
    {
        _model = LanguageModel.Load(script?.WriteTo(_folder["scripted.gguf"]) ?? model ?? SagaModel.Path);
        engine ??= new EngineOptions { Context = 1024, Sequences = 8, KvHostBytes = 64 << 20 };
        if (hasDisk)
            engine = engine with { KvDisk = Reuse.CachedEngine.Disk(_folder["kv"]) };
        Engine = new InferenceEngine(_model, engine);
        Engine.Cache.Costs.Computed(1, TimeSpan.FromSeconds(10)); // computing counts as slow, so that what is found is loaded
        Engine.Cache.Costs.IsFrozen = true;
        Server = new KvasirServer(Engine, (options ?? new ServerOptions()) with { Port = 0 });
    }

    public static async Task<ServerFixture> Start(EngineOptions? engine = null, ServerOptions? options = null, bool hasDisk = false,
        string? model = null, ScriptedModel? script = null)
    {
        ServerFixture fixture = new(engine, options, hasDisk, model, script);
        await fixture.Server.Start(Patience);
        fixture.Client.BaseAddress = new Uri(fixture.Server.Address);
        return fixture;
    }

    public static CancellationToken Patience => TestContext.Current.CancellationToken;

    public InferenceEngine Engine { get; }

    public KvasirServer Server { get; }

    public HttpClient Client { get; } = new();

    /// <summary>A chat of one message, as its body.</summary>
    public static JsonObject Chat(string message, int maxTokens = 8) => new()
    {
        ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = message }),
        ["temperature"] = 0,
        ["max_tokens"] = maxTokens,
        ["ignore_eos"] = true,
    };

    /// <summary>A text of about so many tokens.</summary>
    public static string LongText(int words, int kind = 0) =>
        string.Join(' ', Enumerable.Range(0, words).Select(i => $"Finn has {(i * 7 + kind) % 97} rabbits."));

    public async Task<HttpResponseMessage> Post(string path, JsonNode body, string? key = null,
        params (string Name, string Value)[] headers)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, path)
        {
            Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json"),
        };
        if (key is not null)
            request.Headers.Authorization = new("Bearer", key);
        foreach ((string name, string value) in headers)
            request.Headers.Add(name, value);
        return await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Patience);
    }

    /// <summary>The answer of a request that has to succeed.</summary>
    public async Task<JsonElement> Ask(string path, JsonNode body, string? key = null, params (string Name, string Value)[] headers)
    {
        using HttpResponseMessage response = await Post(path, body, key, headers);
        string text = await response.Content.ReadAsStringAsync(Patience);
        Assert.True(response.IsSuccessStatusCode, $"{path}: {(int)response.StatusCode} {text}");
        return JsonDocument.Parse(text).RootElement;
    }

    public async Task<JsonElement> Get(string path) => await Client.GetFromJsonAsync<JsonElement>(path, Patience);

    /// <summary>Waits until nothing runs; then no block may be leased.</summary>
    public async Task AssertIdle()
    {
        await Until(() => Engine.Serving is { Running: 0, Waiting: 0 }, "nothing runs");
        Engine.AssertNothingLeased();
    }

    /// <summary>Waits until something is so, or the test has failed.</summary>
    public static async Task Until(Func<Task<bool>> condition, string what)
    {
        for (long start = Environment.TickCount64; !await condition(); await Task.Delay(5, Patience))
            Assert.True(Environment.TickCount64 - start < 30_000, $"not within 30 s: {what}");
    }

    public static Task Until(Func<bool> condition, string what) => Until(() => Task.FromResult(condition()), what);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Server.DisposeAsync();
        Engine.Dispose();
        _model.Dispose();
        _folder.Dispose();
    }
}
