namespace Kvasir.KvCache.Retention;

/// <summary>The positions that a view keeps, and the room that they take.</summary>
public sealed class KeptPositions
{
    readonly int[][] _positions; // by head, ascending
    readonly int[] _firstHeads;

    internal KeptPositions(RetentionShape shape, int[][] positions)
    {
        (Shape, _positions, _firstHeads) = (shape, positions, shape.FirstHeads());
        Total = positions.Sum(of => (long)of.Length);
        Packed = new PackedSegments(this);
    }

    /// <summary>The prefix.</summary>
    public RetentionShape Shape { get; }

    /// <summary>Where each segment lies.</summary>
    public PackedSegments Packed { get; }

    /// <summary>Positions of all heads together.</summary>
    public long Total { get; }

    /// <summary>Segments of all heads together.</summary>
    public long Segments => Packed.Segments;

    /// <summary>Slots of the pool.</summary>
    public long Slots => Packed.Slots;

    /// <summary>Bytes of these slots.</summary>
    public long Bytes => Slots * Shape.SlotBytes;

    /// <summary>The positions that a head keeps, ascending.</summary>
    public ReadOnlySpan<int> Of(int layer, int kvHead) => _positions[_firstHeads[layer] + kvHead];
}
