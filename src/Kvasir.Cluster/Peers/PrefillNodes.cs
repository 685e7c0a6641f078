using System.Collections.Concurrent;
using Kvasir.Inference;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Routing;
using Kvasir.KvCache.Tiers;

namespace Kvasir.Cluster.Peers;

/// <summary>
/// The prefill nodes of a decode node: what it lacks of a prompt, one of them computes, and sends block by block as it does. What of the
/// prompt only the decode node has, because it generated it, the other asks back for. Thread-safe.
/// </summary>
public sealed class PrefillNodes : IPeer, IDisposable
{
    /// <summary>Fewer missing tokens are computed here: they hardly take longer than a step, and the way there and back does.</summary>
    public const int LeastTokens = 64;

    const int HashesPerNode = 1 << 16;

    static readonly TimeSpan s_leastPatience = TimeSpan.FromSeconds(2), s_mostPatience = TimeSpan.FromSeconds(30);

    readonly PeerOptions _options;
    readonly ConcurrentDictionary<PeerAddress, PrefillNode> _nodes = [];
    readonly PrefixMap _prefixes = new(HashesPerNode);
    readonly PrefixPolicy _policy;
    IReadOnlyCollection<PeerAddress> _addresses;
    int _numbers;
    TieredKvCache? _cache;

    /// <param name="options">Who this node is.</param>
    /// <param name="addresses">Where they answer.</param>
    public PrefillNodes(PeerOptions options, IEnumerable<PeerAddress> addresses) =>
        (_options, _addresses, _policy) = (options, [.. addresses], new PrefixPolicy(_prefixes));

    /// <summary>What is known of each, dead ones too.</summary>
    public IReadOnlyList<PrefillNodeState> States => [.. _nodes.Values.Select(node => node.State)];

    /// <summary>The options of an engine whose prompts these nodes compute.</summary>
    public EngineOptions Serve(EngineOptions engine)
    {
        ArgumentNullException.ThrowIfNull(engine);
        return engine with { KvPeer = Attach };
    }

    /// <summary>From now on, these are the nodes.</summary>
    public void Set(IEnumerable<PeerAddress> addresses)
    {
        _addresses = [.. addresses];
        if (_cache is not { } cache)
            return;
        foreach (PeerAddress address in _addresses)
            _nodes.GetOrAdd(address,
                added => new PrefillNode(Interlocked.Increment(ref _numbers), added, _options, cache, _prefixes.Clear));
        foreach ((PeerAddress address, PrefillNode node) in _nodes)
            if (!_addresses.Contains(address) && _nodes.TryRemove(address, out _))
                node.Dispose();
    }

    IReadOnlySet<int> IPeer.Offers(PrefixQuery prompt, IReadOnlyList<int> missing) =>
        missing.Count * prompt.BlockTokens >= LeastTokens && _nodes.Values.Any(node => node.IsReady) ? missing.ToHashSet()
            : System.Collections.Frozen.FrozenSet<int>.Empty;

    void IPeer.Load(PrefixQuery prompt, BlockLoad load)
    {
        TimeSpan compute = _cache!.Costs.ComputeTime(load.Blocks.Count * prompt.BlockTokens);
        TimeSpan patience = compute < s_leastPatience ? s_leastPatience : compute > s_mostPatience ? s_mostPatience : compute;
        if (Choose(prompt) is { } node)
            node.Load(prompt, load, patience);
        else
            new ExpectedLoad(load, patience, _options.Time).FailRest(ReadOutcome.Gone); // it has died since it was offered
    }

    /// <summary>Ends all connections: what was to come is computed here.</summary>
    public void Dispose()
    {
        foreach (PrefillNode node in _nodes.Values)
            node.Dispose();
    }

    PrefillNodes Attach(TieredKvCache cache)
    {
        _cache = cache;
        Set(_addresses);
        return this;
    }

    /// <summary>The node that has the prompt's blocks soonest, as <see cref="PrefixPolicy"/> counts it for routers.</summary>
    PrefillNode? Choose(PrefixQuery prompt)
    {
        PrefillNode[] ready = [.. _nodes.Values.Where(node => node.IsReady)];
        if (ready.Length == 0)
            return null;
        ulong[] chain = new ulong[prompt.Blocks];
        for (int block = 0; block < chain.Length; block++)
            chain[block] = prompt.Keys[block].Digest.First;
        double rate = _cache!.Costs.TokensPerSecond; // theirs is not known, and the same for all
        NodeState[] states = [.. ready.Select(node =>
            new NodeState(node.Number, RendezvousHash.Id($"{node.Address}"), new NodeLoad(0, 0, node.Queued, rate)))];
        ulong affinity = chain[Math.Min(1, chain.Length - 1)]; // of the second block: the first is the system prompt's, and everybody's
        int chosen = _policy.Choose(new RoutedPrompt(chain, prompt.Tokens.Length, prompt.BlockTokens, affinity), states);
        _prefixes.Add(ready[chosen].Number, chain);
        return ready[chosen];
    }
}

/// <summary>A prefill node, as a decode node sees it.</summary>
/// <param name="Address">Where it answers.</param>
/// <param name="Name">What it is called; null before it has said so.</param>
/// <param name="Problem">What is wrong with it; null when nothing is.</param>
/// <param name="AskedTokens">Tokens that it was asked for.</param>
/// <param name="BroughtTokens">Of those, the ones that came.</param>
public sealed record PrefillNodeState(string Address, string? Name, string? Problem, long AskedTokens, long BroughtTokens);
