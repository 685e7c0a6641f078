namespace Kvasir.KvCache.Routing;

/// <summary>How a node is chosen, as users name it.</summary>
public enum RoutingPolicyKind
{
    /// <summary>Where the first token is there soonest: what a node has of the prompt against what it has to do.</summary>
    Prefix,

    /// <summary>By the request's affinity alone.</summary>
    Affinity,

    /// <summary>Anywhere.</summary>
    Random,

    /// <summary>One after the other.</summary>
    RoundRobin,
}

/// <summary>Chooses the node that serves a request. Thread-safe; given the same calls, it chooses the same.</summary>
public abstract class RoutingPolicy
{
    /// <summary>A policy of a kind.</summary>
    /// <param name="kind">Which.</param>
    /// <param name="prefixes">Who has what; only <see cref="RoutingPolicyKind.Prefix"/> asks it.</param>
    /// <param name="seed">Only <see cref="RoutingPolicyKind.Random"/> needs it.</param>
    public static RoutingPolicy Create(RoutingPolicyKind kind, PrefixMap prefixes, int seed = 1) => kind switch
    {
        RoutingPolicyKind.Prefix => new PrefixPolicy(prefixes),
        RoutingPolicyKind.Affinity => new AffinityPolicy(),
        RoutingPolicyKind.Random => new RandomPolicy(seed),
        RoutingPolicyKind.RoundRobin => new RoundRobinPolicy(),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no such policy"),
    };

    /// <summary>The index of the node that serves a request.</summary>
    /// <param name="prompt">The request.</param>
    /// <param name="nodes">Those that can; at least one. Who tries again leaves out whom it tried.</param>
    public int Choose(in RoutedPrompt prompt, ReadOnlySpan<NodeState> nodes) =>
        nodes.Length > 0 ? ChooseOf(prompt, nodes) : throw new ArgumentException("no node to choose of", nameof(nodes));

    private protected abstract int ChooseOf(in RoutedPrompt prompt, ReadOnlySpan<NodeState> nodes);

    /// <summary>Whether a request belongs to one node more than to another, by its affinity.</summary>
    private protected static bool IsCloser(in RoutedPrompt prompt, in NodeState node, in NodeState than) =>
        RendezvousHash.Weight(node.Id, prompt.Affinity) > RendezvousHash.Weight(than.Id, prompt.Affinity);

    sealed class AffinityPolicy : RoutingPolicy
    {
        private protected override int ChooseOf(in RoutedPrompt prompt, ReadOnlySpan<NodeState> nodes)
        {
            int home = 0;
            for (int node = 1; node < nodes.Length; node++)
                if (IsCloser(prompt, nodes[node], nodes[home]))
                    home = node;
            return home;
        }
    }

    sealed class RandomPolicy(int seed) : RoutingPolicy
    {
        readonly Random _random = new(seed);

        private protected override int ChooseOf(in RoutedPrompt prompt, ReadOnlySpan<NodeState> nodes)
        {
            lock (_random)
                return _random.Next(nodes.Length);
        }
    }

    sealed class RoundRobinPolicy : RoutingPolicy
    {
        int _turn = -1;

        private protected override int ChooseOf(in RoutedPrompt prompt, ReadOnlySpan<NodeState> nodes) =>
            (int)((uint)Interlocked.Increment(ref _turn) % (uint)nodes.Length);
    }
}
