namespace Kvasir.KvCache.Layout;

/// <summary>
/// What a layer keeps of the tokens behind it. The type decides which positions may be read, never how long the layer's memory is.
/// </summary>
public abstract record LayerState
{
    LayerState() { }

    /// <summary>Keeps every token: position <c>p</c> attends to <c>[0, p]</c>.</summary>
    public sealed record Full : LayerState;

    /// <summary>Sliding window: position <c>p</c> attends to <c>[p - Tokens + 1, p]</c>.</summary>
    /// <param name="Tokens">Length of the window in tokens, the current one included; at least 1.</param>
    public sealed record Window(int Tokens) : LayerState;

    /// <summary>
    /// Carries a state from token to token and keeps nothing for each: a recurrence, a convolution. What could be kept of it is a snapshot
    /// of fixed size at a block's border, of which no part is the state at an earlier token. Named here, and refused by
    /// <see cref="KvLayout"/>, whose blocks hold rows for tokens.
    /// </summary>
    /// <param name="Bytes">Bytes of the state.</param>
    public sealed record Recurrent(long Bytes) : LayerState;

    /// <summary>Keeps its keys and values in another layout: this one has no room for them.</summary>
    public sealed record Elsewhere : LayerState;

    /// <summary>The first position that a token at <paramref name="position"/> attends to.</summary>
    public int FirstVisible(int position) => this is Window window ? Math.Max(0, position - window.Tokens + 1) : 0;
}
