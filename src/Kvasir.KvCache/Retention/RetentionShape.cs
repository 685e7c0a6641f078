using System.Collections.Immutable;

namespace Kvasir.KvCache.Retention;

/// <summary>One layer of a prefix as a view stores it.</summary>
/// <param name="KvHeads">Heads that have rows of their own: 0 in a layer that reads another's.</param>
/// <param name="SegmentBytes">Bytes of one head's segment: keys and values of <see cref="RetentionShape.SegmentSlots"/>
/// tokens.</param>
/// <param name="Selects">Whether the layer attends to everything, and a policy chooses. A windowed layer does not.</param>
/// <param name="Keeps">Positions from the end that a layer without choice keeps for every head.</param>
public sealed record RetainedLayer(int KvHeads, long SegmentBytes, bool Selects, int Keeps);

/// <summary>A prefix as a view stores it: numbers only.</summary>
/// <param name="Layers">The layers in order.</param>
/// <param name="Positions">Tokens of the prefix.</param>
/// <param name="SegmentSlots">Tokens of a segment.</param>
/// <param name="SlotBytes">Bytes of a slot of the pool: segments lie in whole slots, none across two.</param>
/// <param name="ExactBytes">Bytes that the exact prefix takes in the pool.</param>
public sealed record RetentionShape(
    ImmutableArray<RetainedLayer> Layers, int Positions, int SegmentSlots, long SlotBytes, long ExactBytes)
{
    /// <summary>Heads of all layers.</summary>
    public int Heads => Layers.Sum(layer => layer.KvHeads);

    /// <summary>Segments that hold so many positions of a head.</summary>
    public int SegmentsFor(int positions) => (positions + SegmentSlots - 1) / SegmentSlots;

    /// <summary>The first head of each layer in an order of all heads, and behind the last layer their number.</summary>
    internal int[] FirstHeads()
    {
        int[] first = new int[Layers.Length + 1];
        for (int layer = 0; layer < Layers.Length; layer++)
            first[layer + 1] = first[layer] + Layers[layer].KvHeads;
        return first;
    }
}
