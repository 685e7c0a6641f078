namespace Kvasir.KvCache.Retention;

/// <summary>
/// Which slot and which bytes of it each segment has. Segments of one size share slots, in the order of layers and heads; with all layers
/// alike,
/// there is one size, and nothing but the last slot is left open.
/// </summary>
public sealed class PackedSegments
{
    readonly RetentionShape _shape;
    readonly SegmentSizes _sizes;
    readonly int[] _firstHeads;
    readonly long[] _firstSegments; // of each head, among those of its size
    readonly long[] _firstSlots; // of each size

    internal PackedSegments(KeptPositions kept)
    {
        (_shape, _sizes, _firstHeads) = (kept.Shape, new SegmentSizes(kept.Shape), kept.Shape.FirstHeads());
        _firstSegments = new long[_firstHeads[^1]];
        for (int layer = 0; layer < _shape.Layers.Length; layer++)
            for (int head = 0; head < _shape.Layers[layer].KvHeads; head++)
            {
                _firstSegments[_firstHeads[layer] + head] = _sizes.Segments(_sizes.SizeOf(layer));
                _sizes.Take(layer, _shape.SegmentsFor(kept.Of(layer, head).Length));
            }
        _firstSlots = new long[_sizes.Count + 1];
        long[] slots = _sizes.SlotsBySize();
        for (int size = 0; size < slots.Length; size++)
            (_firstSlots[size + 1], Segments) = (_firstSlots[size] + slots[size], Segments + _sizes.Segments(size));
    }

    /// <summary>Segments of all heads together.</summary>
    public long Segments { get; }

    /// <summary>Slots that hold them.</summary>
    public long Slots => _sizes.Slots;

    /// <summary>Where a segment of a head begins.</summary>
    public (int Slot, long Offset) Of(int layer, int kvHead, int segment)
    {
        int size = _sizes.SizeOf(layer);
        long index = _firstSegments[_firstHeads[layer] + kvHead] + segment, perSlot = _sizes.PerSlot(size);
        return ((int)(_firstSlots[size] + index / perSlot), index % perSlot * _shape.Layers[layer].SegmentBytes);
    }
}
