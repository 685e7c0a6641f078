using System.Net;
using Kvasir.Cluster;
using Kvasir.Cluster.Events;
using Kvasir.Inference;
using Kvasir.Server.Accounting;
using Kvasir.Server.Anthropic;
using Kvasir.Server.Dashboard;
using Kvasir.Server.Hints;
using Kvasir.Server.Http;
using Kvasir.Server.Kv;
using Kvasir.Server.LlamaServer;
using Kvasir.Server.Observability;
using Kvasir.Server.Ollama;
using Kvasir.Server.OpenAi;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Kvasir.Server;

/// <summary>
/// An engine behind HTTP: OpenAI's and Anthropic's protocols, the cache's own API under <c>/v1/kv</c>, metrics, and
/// a page that shows what happens.
/// </summary>
public sealed class KvasirServer : IAsyncDisposable
{
    const long MostConnections = 10_000;

    const int BytesAhead = 128 << 10; // that a client may send and nobody has read
    const int RoomForBodies = 16 << 20; // in which a body of the usual limit fits

    static readonly TimeSpan s_headersTimeout = TimeSpan.FromSeconds(15), s_keepAliveTimeout = TimeSpan.FromMinutes(10);

    readonly PriorKnowledge _priorKnowledge = new(s_keepAliveTimeout, s_headersTimeout);
    readonly BodyLimit _bodies;
    readonly BodyRoom _room = new(RoomForBodies);
    readonly WebApplication _app;
    readonly InferenceEngine _engine;
    readonly ServerOptions _options;
    readonly PromptKeeper _keeper;
    readonly PromptBook _book;
    readonly string _incarnation = Guid.NewGuid().ToString("N")[..16];
    readonly CancellationTokenSource _stopping = new();
    readonly Gate _gate;
    readonly ServerLog _log;
    readonly TraceRecorder? _recorder;

    /// <summary>Prepares a server; <see cref="Start"/> starts it.</summary>
    /// <param name="engine">The engine; must outlive the server, which ends what runs on it when it stops.</param>
    /// <param name="options">Where it listens and whom it answers.</param>
    /// <exception cref="ArgumentException">An option is out of its range, or an address would be open to others without a key.</exception>
    /// <exception cref="IOException">The file to record to exists, or cannot be written.</exception>
    /// <exception cref="Inference.Templates.TemplateException">The model's chat template cannot be understood.</exception>
    public KvasirServer(InferenceEngine engine, ServerOptions options)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        (_engine, _options, _gate, _keeper) =
            (engine, options, new Gate(options.ApiKeys, options.AllowedHosts, options.AllowedOrigins), new PromptKeeper(engine.Cache));
        _book = new PromptBook(engine.Cache);
        _log = new ServerLog(options.Log, options.LogsJson, options.LogsRequests);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(Limit).UseSockets(sockets => sockets.MaxReadBufferSize = BytesAhead);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.ShutdownTime + TimeSpan.FromSeconds(5));
        builder.Services.AddSingleton<IConnectionListenerFactory>(_priorKnowledge);
        Telemetry.Add(builder.Services, options.OtlpEndpoint);
        _app = builder.Build();
        _bodies = new BodyLimit(engine.Context, engine.Model.Tokenizer.LongestToken);
        _recorder = options.RecordTo is { } path ? new TraceRecorder(engine, path, _log.Note) : null;
        Map(new ServedModel(engine, options.ModelId ?? NameOf(engine), options.ChatTemplate)
        {
            Aliases = options.Aliases,
            Tags = options.Tags,
            AnswersToAll = options.AnswersToAllNames,
            Node = options.NodeName,
            Defaults = options.Defaults,
            Retention = new RetentionRules(options.Retention, options.AllowedRetention),
        });
    }

    /// <summary>Where it listens, such as <c>http://127.0.0.1:8080</c>; known once it has started.</summary>
    public string Address => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    /// <summary>Begins to listen.</summary>
    /// <exception cref="IOException">The port is taken.</exception>
    public Task Start(CancellationToken cancellation = default) => _app.StartAsync(cancellation);

    /// <summary>
    /// Takes no more requests, lets those that run end for a while, cancels the rest, and returns when all is over. What
    /// was computed stays in the cache.
    /// </summary>
    public async Task Stop()
    {
        await _stopping.CancelAsync();
        using var patience = new CancellationTokenSource(_options.ShutdownTime);
        Task ending = _app.StopAsync(CancellationToken.None);
        try
        {
            await ending.WaitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _engine.StopServing();
            await ending;
        }
    }

    /// <summary>Stops it and gives up the port.</summary>
    public async ValueTask DisposeAsync()
    {
        await Stop();
        await _app.DisposeAsync();
        _keeper.Dispose();
        _book.Dispose();
        _recorder?.Dispose();
        _room.Dispose();
        _stopping.Dispose();
    }

    /// <summary>Clients that dawdle, ask for too much or go away cost no more than this.</summary>
    void Limit(KestrelServerOptions kestrel)
    {
        kestrel.Listen(_options.Address, _options.Port, first =>
        {
            first.Protocols = HttpProtocols.Http1;
            first.Use(_priorKnowledge.Sort);
        });
        kestrel.Listen(PriorKnowledge.Place, second => second.Protocols = HttpProtocols.Http2);
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = _options.MaxBodyBytes;
        kestrel.Limits.MaxRequestBufferSize = BytesAhead;
        kestrel.Limits.RequestHeadersTimeout = s_headersTimeout;
        kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));
        kestrel.Limits.MaxConcurrentConnections = MostConnections;
        kestrel.Limits.KeepAliveTimeout = s_keepAliveTimeout;
        kestrel.Limits.MaxResponseBufferSize = 256 << 10;
    }

    void Map(ServedModel model)
    {
        RequestLog log = new();
        ResponseStore responses = new(_incarnation);
        CompletionService service = new(model, new ServingOptions(_options.MaxChoices, _options.ShowsText), log, _log, _keeper, _recorder);
        KvEndpoints kv = new(service, log, Node(), _stopping.Token);
        _app.Use(next => context => Answer(context, next));
        _app.UseRouting(); // behind that: paths are without their prefix
        Telemetry.Map(_app, _options.VllmMetrics, kv);
        if (_options.HasDashboard)
            Pages.Map(_app, OllamaApi.Alive);
        else
            _app.MapReading("/", OllamaApi.Alive);
        foreach (string path in (string[])["/health", "/v1/health"])
            _app.MapReading(path, context => context.Response.WriteAsJsonAsync(kv.Health(), HttpJson.Default.HealthStatus));
        _app.MapReading("/v1/models", context => Models.List(context, model));
        _app.MapReading("/v1/models/{**id}", context => Models.One(context, model));
        _app.MapPost("/v1/chat/completions", context => ChatCompletions.Handle(context, service));
        _app.MapPost("/v1/completions", context => TextCompletions.Handle(context, service));
        _app.MapPost("/v1/responses", context => Responses.Handle(context, service, responses));
        _app.MapReading("/v1/responses/{id}", context => StoredResponses.Get(context, responses));
        _app.MapDelete("/v1/responses/{id}", context => StoredResponses.Delete(context, responses));
        _app.MapReading("/v1/responses/{id}/input_items", context => StoredResponses.List(context, responses));
        _app.MapPost("/v1/responses/{id}/cancel", context => StoredResponses.Cancel(context, responses));
        _app.MapPost("/v1/responses/compact", _ => throw new RequestException(501,
            "nothing is ever cut off here, and so nothing is made shorter: send the items as they are", code: "not_supported"));
        _app.MapPost("/v1/responses/input_tokens", context => Responses.CountTokens(context, model, responses));
        _app.MapPost("/v1/messages", context => Messages.Handle(context, service));
        _app.MapPost("/v1/messages/count_tokens", context => Messages.CountTokens(context, model));
        _app.MapPost("/v1/embeddings", context => Embeddings.Handle(context, service));
        LlamaServerApi.Map(_app, service, _options.ShowsSlots, _options.SlotFolder);
        OllamaApi.Map(_app, service);
        Probes.Map(_app, model);
        kv.Map(_app);
        new HintEvents(_engine, _book, () => Identity(model), _stopping.Token).Map(_app);
    }

    NodeHello Identity(ServedModel model) => new(NodeEvents.Version, _options.NodeName ?? $"{Environment.MachineName}:{new Uri(Address).Port}",
        _incarnation, model.Id, _engine.Cache.Fingerprint.ToString(), _options.Role.Name());

    /// <summary>What is told of the node; null of a server that is alone.</summary>
    Func<KvNode>? Node() => _options.NodeName is not { } name ? null
        : () => new KvNode(name, _options.Role.Name(), _options.PrefillNodes?.States);

    /// <summary>Around every request: who may come in, and what a failure looks like from outside.</summary>
    async Task Answer(HttpContext context, RequestDelegate next)
    {
        context.Response.Headers.XContentTypeOptions = "nosniff";
        try
        {
            if (PathPrefix.Take(context, _options.PathPrefix) || _gate.Check(context))
                return;
            context.Features.Set(_room);
            context.Features.Set(_book);
            _bodies.Apply(context);
            await next(context);
            if (context.Response is { HasStarted: false, StatusCode: 404 or 405 })
                throw context.Response.StatusCode == 404
                    ? new RequestException(404, $"{Formats.Printable.Line(context.Request.Path, 100)}: nothing is there",
                        code: "unknown_path")
                    : new RequestException(405, $"{context.Request.Method} is not for {Formats.Printable.Line(context.Request.Path, 100)}",
                        code: "wrong_method");
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // nobody is there to be told
        }
        catch (Exception e)
        {
            Exception cause = e is ToldException ? e.InnerException! : e;
            RequestException? known = Errors.Of(cause, context.Request.Path);
            if (known is null or { Status: 500 })
                _log.Failure(context.Request, known?.Message ?? $"{cause}");
            if (e is not ToldException)
                await Errors.Write(context,
                    known ?? new RequestException(500, "something is wrong inside the server; its log says more", code: "internal_error"));
        }
    }

    /// <summary>The model's own name, as one word.</summary>
    public static string NameOf(InferenceEngine engine)
    {
        ArgumentNullException.ThrowIfNull(engine);
        return string.Join('-', engine.Model.Config.Name.ToLowerInvariant().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
            is { Length: > 0 } name ? name : "default";
    }
}
