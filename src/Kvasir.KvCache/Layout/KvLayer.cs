namespace Kvasir.KvCache.Layout;

/// <summary>Shape of one layer's keys and values.</summary>
/// <param name="State">What the layer keeps.</param>
/// <param name="KvHeads">Key-value heads (not query heads: under GQA there are fewer).</param>
/// <param name="KeyDim">Elements of one head's key.</param>
/// <param name="ValueDim">Elements of one head's value; 0 where the key is both (the latent of MLA).</param>
/// <param name="Producer">
/// The layer whose K and V this layer reads: its own index if it owns a cache, an earlier one under cross-layer sharing.
/// A layer that reads another's K and V takes no memory.
/// </param>
public sealed record KvLayer(LayerState State, int KvHeads, int KeyDim, int ValueDim, int Producer)
{
    /// <summary>A layer whose values are as wide as its keys.</summary>
    public KvLayer(LayerState state, int kvHeads, int headDim, int producer) : this(state, kvHeads, headDim, headDim, producer) { }
}
