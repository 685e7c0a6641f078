using System.Collections.Concurrent;
using System.Net;
using Kvasir.Cluster.Peers;
using Kvasir.Inference;
using Kvasir.Tests.Reuse;

namespace Kvasir.Tests.Cluster;

/// <summary>A node that decodes, and one that computes its prompts.</summary>
sealed class SplitPair : IDisposable
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    readonly PrefillServer _server;
    readonly PrefillNodes _nodes;

    /// <param name="model">The model of both.</param>
    /// <param name="way">What lies between them, given where the prefill node answers; where the decode node asks.</param>
    /// <param name="prefill">The prefill node's options.</param>
    /// <param name="decode">The decode node's options.</param>
    /// <param name="learns">Whether the decode node knows how fast it computes.</param>
    public SplitPair(LanguageModel model, Func<IPEndPoint, IPEndPoint>? way = null, PeerOptions? prefill = null, PeerOptions? decode = null,
        bool learns = false, EngineOptions? options = null)
    {
        options ??= new EngineOptions { Context = 512 };
        Prefill = new InferenceEngine(model, options);
        _server = new PrefillServer(Prefill, (prefill ?? new PeerOptions()) with { Name = "p", Log = PrefillLog.Enqueue }, Loopback);
        IPEndPoint asked = way?.Invoke(_server.Endpoint) ?? _server.Endpoint;
        _nodes = new PrefillNodes((decode ?? new PeerOptions()) with { Name = "d", Log = DecodeLog.Enqueue },
            [new PeerAddress($"{asked.Address}", asked.Port)]);
        Decode = new CachedEngine(model, _nodes.Serve(options), learns);
    }

    public static IPEndPoint Loopback { get; } = new(IPAddress.Loopback, 0);

    public InferenceEngine Prefill { get; }

    public CachedEngine Decode { get; }

    public ConcurrentQueue<string> PrefillLog { get; } = [];

    public ConcurrentQueue<string> DecodeLog { get; } = [];

    public PrefillNodeState State => Assert.Single(_nodes.States);

    /// <summary>Waits until the decode node has the prefill node.</summary>
    public SplitPair Connected()
    {
        Assert.True(SpinWait.SpinUntil(() => State.Problem is null, s_patience), State.Problem);
        return this;
    }

    /// <summary>Waits until a node has said something; returns that.</summary>
    public static string Heard(ConcurrentQueue<string> log)
    {
        Assert.True(SpinWait.SpinUntil(() => !log.IsEmpty, s_patience));
        return log.First();
    }

    public void KillPrefill() => _server.Dispose();

    public void Dispose()
    {
        Decode.Dispose();
        _nodes.Dispose();
        _server.Dispose();
        Assert.True(SpinWait.SpinUntil(() => Prefill.Serving is { Running: 0, Waiting: 0 }, s_patience));
        Prefill.Dispose();
    }
}
