using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Kvasir.Cluster.Events;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace Kvasir.Cluster.Routing;

/// <summary>
/// Stands before nodes that serve the same model, and passes each request to the one that will answer it soonest: the one that has most of
/// its prompt, unless others have less to do. It understands no prompt and holds no key: the nodes decide who is answered.
/// </summary>
public sealed class KvasirRouter : IAsyncDisposable
{
    internal const string SourceName = "Kvasir.Router";

    const long MostConnections = 10_000;

    static readonly TimeSpan s_patienceAtStart = TimeSpan.FromSeconds(2);
    static readonly string[] s_reading = [HttpMethods.Get, HttpMethods.Head];

    readonly WebApplication _app;
    readonly RouterOptions _options;
    readonly HttpMessageInvoker _http = NewClient();
    readonly CancellationTokenSource _stopping = new();
    readonly string _name = Guid.NewGuid().ToString("N");
    readonly ConcurrentDictionary<Node, (CancellationTokenSource Over, Task Watching)> _watches = [];

    /// <summary>Prepares a router; <see cref="Start"/> starts it.</summary>
    /// <param name="options">Where it listens, and its nodes.</param>
    /// <exception cref="ArgumentException">A node is named twice, is the router itself, or there is none.</exception>
    public KvasirRouter(RouterOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        (_options, Nodes) = (options, new NodeList(options));
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(Limit);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.ShutdownTime + TimeSpan.FromSeconds(5));
        builder.Services.AddHttpForwarder();
        RouterTelemetry.Add(builder.Services, options.OtlpEndpoint);
        _app = builder.Build();
        Map();
    }

    /// <summary>Where it listens, such as <c>http://127.0.0.1:8090</c>; known once it has started.</summary>
    public string Address => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    /// <summary>Nodes that can take requests now.</summary>
    public int AliveNodes => Nodes.All.Count(node => node.IsAlive);

    internal NodeList Nodes { get; }

    /// <summary>Begins to listen, and looks for the nodes; returns when each has answered, or has had time to.</summary>
    /// <exception cref="IOException">The port is taken.</exception>
    public async Task Start(CancellationToken cancellation = default)
    {
        await _app.StartAsync(cancellation);
        foreach (Node node in Nodes.All)
            Watch(node);
        for (long start = Stopwatch.GetTimestamp();
            Nodes.All.Any(node => node.IsNew) && Stopwatch.GetElapsedTime(start) < s_patienceAtStart;)
            await Task.Delay(20, cancellation);
        Nodes.Settle();
    }

    /// <summary>From now on, these are the nodes. Requests under way go on.</summary>
    public void SetNodes(IReadOnlyCollection<Uri> nodes)
    {
        (Node[] added, Node[] removed) = Nodes.Set(nodes);
        foreach (Node node in removed)
            if (_watches.TryRemove(node, out var watch))
                watch.Over.Cancel();
        foreach (Node node in added)
            Watch(node);
    }

    void Watch(Node node)
    {
        var over = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        _watches[node] = (over, new NodeWatch(node, Nodes, _http, _options, _name).Run(over.Token));
    }

    /// <summary>Takes no more requests, lets those that run end for a while, and cuts the rest.</summary>
    public async Task Stop()
    {
        using var patience = new CancellationTokenSource(_options.ShutdownTime);
        await _app.StopAsync(patience.Token);
        await _stopping.CancelAsync();
        await Task.WhenAll(_watches.Values.Select(watch => watch.Watching));
    }

    /// <summary>Stops it and gives up the port.</summary>
    public async ValueTask DisposeAsync()
    {
        await Stop();
        await _app.DisposeAsync();
        _http.Dispose();
        _stopping.Dispose();
    }

    void Limit(KestrelServerOptions kestrel)
    {
        kestrel.Listen(_options.Address, _options.Port);
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = null; // the nodes say what is too long
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
        kestrel.Limits.MaxConcurrentConnections = MostConnections;
        kestrel.Limits.KeepAliveTimeout = TimeSpan.FromMinutes(10);
    }

    void Map()
    {
        Forwarding forwarding = new(Nodes, _app.Services.GetRequiredService<IHttpForwarder>(), _http, _options.MaxBodyBytes);
        FleetView fleet = new(Nodes, _http, _options.Policy);
        foreach (string path in (string[])["/health", "/v1/health"])
            _app.MapMethods(path, s_reading, Health);
        _app.MapMethods("/v1/fleet", s_reading, fleet.Write);
        _app.MapMethods("/metrics", s_reading, fleet.WriteMetrics);
        _app.Map(NodeEvents.Path, RefuseRouters);
        _options.Pages?.Invoke(_app);
        _app.Map("/{**path}", forwarding.Handle);
    }

    Task Health(HttpContext context)
    {
        context.Response.StatusCode = AliveNodes > 0 ? 200 : 503;
        return context.Response.WriteAsJsonAsync(new RouterHealth(AliveNodes > 0 ? "ok" : "no node is there", Nodes.All.Count, AliveNodes),
            RouterJson.Default.RouterHealth);
    }

    /// <summary>Another router, or this one, takes it for a node.</summary>
    async Task RefuseRouters(HttpContext context)
    {
        context.Response.OnStarting(() =>
        {
            context.Response.Headers[NodeWatch.RouterHeader] = _name;
            return Task.CompletedTask;
        });
        await RouterErrors.Write(context, 404, "router", "this is a router: its nodes have events");
    }

    static HttpMessageInvoker NewClient() => new(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        ConnectTimeout = TimeSpan.FromSeconds(1),
        PooledConnectionIdleTimeout = TimeSpan.FromMinutes(5),
        ActivityHeadersPropagator = new ReverseProxyPropagator(DistributedContextPropagator.Current),
    });
}
