namespace Kvasir.KvCache.Routing;

/// <summary>
/// Sends a request where its first token is there soonest: seconds to compute what a node has to compute before, and what it has not of
/// this prompt. So a conversation goes where its prefix is, until the wait there costs more than computing it anew elsewhere. Where it makes
/// no difference, affinity decides, so that what belongs together meets even before anybody has it. (Cost as in NVIDIA Dynamo's router,
/// which counts blocks; its temperature is left out: equal costs are told apart by hash.)
/// </summary>
public sealed class PrefixPolicy : RoutingPolicy
{
    /// <summary>
    /// What a sequence that is being answered counts as, in tokens of a prompt: the rows that it takes of the passes of others. Without it
    /// everybody with the same system prompt would meet on one node.
    /// </summary>
    public const int TokensOfSequence = 64;

    const double UnknownRate = 1000; // tokens/s; only equal for all, since nobody knows it
    const double Indifference = 0.1; // of the shortest time: estimates are not better than that

    readonly PrefixMap _prefixes;

    /// <param name="prefixes">Who has what.</param>
    public PrefixPolicy(PrefixMap prefixes)
    {
        ArgumentNullException.ThrowIfNull(prefixes);
        _prefixes = prefixes;
    }

    /// <summary>Seconds until a node would have the prompt's first token, about.</summary>
    public double Seconds(in RoutedPrompt prompt, in NodeState node)
    {
        double known = _prefixes.Known(node.Number, prompt.Chain) * prompt.PieceTokens;
        double missing = Math.Max(1, prompt.Tokens - known); // the last token is computed in any case
        long others = node.Load.QueuedTokens + (long)(node.Load.Running + node.Load.Waiting) * TokensOfSequence;
        return (others + missing) / (node.Load.PrefillTokensPerSecond > 0 ? node.Load.PrefillTokensPerSecond : UnknownRate);
    }

    private protected override int ChooseOf(in RoutedPrompt prompt, ReadOnlySpan<NodeState> nodes)
    {
        Span<double> seconds = nodes.Length <= 64 ? stackalloc double[nodes.Length] : new double[nodes.Length];
        double shortest = double.MaxValue;
        for (int node = 0; node < nodes.Length; node++)
            shortest = Math.Min(shortest, seconds[node] = Seconds(prompt, nodes[node]));
        int home = -1;
        for (int node = 0; node < nodes.Length; node++)
            if (seconds[node] <= shortest * (1 + Indifference) && (home < 0 || IsCloser(prompt, nodes[node], nodes[home])))
                home = node;
        return home;
    }
}
