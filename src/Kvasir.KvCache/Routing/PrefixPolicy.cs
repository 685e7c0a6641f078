namespace Kvasir.KvCache.Routing;

/// <summary>
/// Sends a request where its first token is there soonest: seconds to compute what a node has to compute before, and what it has not of
/// this prompt. So a conversation goes where its prefix is, until the wait there costs more than computing it anew elsewhere. Where it
/// makes no difference, affinity decides, so that what belongs together meets even before anybody has it. (Cost as in NVIDIA Dynamo's
/// router, which counts blocks; its temperature is left out: equal costs are told apart by hash.)
/// </summary>
/// <remarks>
/// Who only looks for the shortest wait computes too much anew: everybody behind such a prompt waits longer, and its blocks, now there
/// twice, evict others. So what a node lacks counts six times what it takes. Simulated on an hour of conversations, that finds 0.95 of what
/// one cache of the whole room would, in place of 0.88, and half of the requests wait a tenth less (docs/planning.md, "Routers").
/// </remarks>
public sealed class PrefixPolicy : RoutingPolicy
{
    /// <summary>
    /// What a sequence that is being answered counts as, in tokens of a prompt: the rows that it takes of the passes of others. Without it
    /// everybody with the same system prompt would meet on one node.
    /// </summary>
    public const int TokensOfSequence = 64;

    const double UnknownRate = 1000; // tokens/s; only equal for all, since nobody knows it
    const double OtherMachine = 2; // nodes whose rates differ by less are alike: what one prompt took says no more
    const int MostOnStack = 64;
    const double Dearness = 6; // of a token that has to be computed, to one that somebody else waits for
    const double Indifference = 0.1; // of the lowest cost: estimates are not better than that

    readonly PrefixMap _prefixes;

    /// <param name="prefixes">Who has what.</param>
    public PrefixPolicy(PrefixMap prefixes)
    {
        ArgumentNullException.ThrowIfNull(prefixes);
        _prefixes = prefixes;
    }

    /// <summary>
    /// What it costs to send a prompt to a node: seconds until its turn comes, about, and those to compute what the node lacks of it, which
    /// count more.
    /// </summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="node">The node.</param>
    /// <param name="usual">Tokens that nodes of this kind compute in a second; those of this one count when they are far from that.</param>
    public double Cost(in RoutedPrompt prompt, in NodeState node, double usual)
    {
        double known = _prefixes.Known(node.Number, prompt.Chain) * prompt.PieceTokens;
        double missing = Math.Max(1, prompt.Tokens - known); // the last token is computed in any case
        long others = node.Load.QueuedTokens + (long)(node.Load.Running + node.Load.Waiting) * TokensOfSequence;
        double own = node.Load.PrefillTokensPerSecond;
        return (others + Dearness * missing) / (own > 0 && (own > usual * OtherMachine || own < usual / OtherMachine) ? own : usual);
    }

    /// <summary>What most nodes compute in a second: the median, since one may be of another kind.</summary>
    public static double UsualRate(ReadOnlySpan<NodeState> nodes)
    {
        Span<double> rates = nodes.Length <= MostOnStack ? stackalloc double[nodes.Length] : new double[nodes.Length];
        int known = 0;
        foreach (NodeState node in nodes)
            if (node.Load.PrefillTokensPerSecond > 0)
                rates[known++] = node.Load.PrefillTokensPerSecond;
        rates[..known].Sort();
        return known > 0 ? rates[known / 2] : UnknownRate;
    }

    private protected override int ChooseOf(in RoutedPrompt prompt, ReadOnlySpan<NodeState> nodes)
    {
        double usual = UsualRate(nodes);
        Span<double> costs = nodes.Length <= MostOnStack ? stackalloc double[nodes.Length] : new double[nodes.Length];
        double lowest = double.MaxValue;
        for (int node = 0; node < nodes.Length; node++)
            lowest = Math.Min(lowest, costs[node] = Cost(prompt, nodes[node], usual));
        int home = -1;
        for (int node = 0; node < nodes.Length; node++)
            if (costs[node] <= lowest * (1 + Indifference) && (home < 0 || IsCloser(prompt, nodes[node], nodes[home])))
                home = node;
        return home;
    }
}
