namespace Kvasir.KvCache.Routing;

/// <summary>What a node has to do.</summary>
/// <param name="Running">Sequences that are being answered.</param>
/// <param name="Waiting">Requests that have no turn yet.</param>
/// <param name="QueuedTokens">Tokens of prompts that are still to be computed, of those and these.</param>
/// <param name="PrefillTokensPerSecond">How fast it computes prompts; 0 when nobody knows yet.</param>
public readonly record struct NodeLoad(int Running, int Waiting, long QueuedTokens, double PrefillTokensPerSecond);

/// <summary>A node that can take a request.</summary>
/// <param name="Number">Its number in the <see cref="PrefixMap"/>.</param>
/// <param name="Id">What it counts as for <see cref="RendezvousHash"/>: <see cref="RendezvousHash.Id"/> of its name.</param>
/// <param name="Load">What it has to do.</param>
public readonly record struct NodeState(int Number, ulong Id, NodeLoad Load);

/// <summary>What is known of a request before it goes anywhere.</summary>
/// <param name="chain">Hashes of the prompt's whole pieces; empty when it has none, or nothing could be made of it.</param>
/// <param name="tokens">Tokens of the prompt, or a guess.</param>
/// <param name="pieceTokens">Tokens of a piece, or a guess.</param>
/// <param name="affinity">Requests that belong together have the same.</param>
public readonly ref struct RoutedPrompt(ReadOnlySpan<ulong> chain, long tokens, double pieceTokens, ulong affinity)
{
    /// <summary>Hashes of the prompt's whole pieces.</summary>
    public ReadOnlySpan<ulong> Chain { get; } = chain;

    /// <summary>Tokens of the prompt.</summary>
    public long Tokens { get; } = tokens;

    /// <summary>Tokens of a piece.</summary>
    public double PieceTokens { get; } = pieceTokens;

    /// <summary>Requests that belong together have the same.</summary>
    public ulong Affinity { get; } = affinity;
}
