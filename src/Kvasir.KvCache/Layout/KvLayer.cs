namespace Kvasir.KvCache.Layout;

/// <summary>Shape of one layer's keys and values.</summary>
/// <param name="State">What the layer keeps.</param>
/// <param name="KvHeads">Key-value heads (not query heads: under GQA there are fewer).</param>
/// <param name="HeadDim">Elements of one head's key, and of one head's value.</param>
/// <param name="Producer">
/// The layer whose K and V this layer reads: its own index if it owns a cache, an earlier one under cross-layer sharing.
/// A layer that reads another's K and V takes no memory.
/// </param>
public sealed record KvLayer(LayerState State, int KvHeads, int HeadDim, int Producer);
