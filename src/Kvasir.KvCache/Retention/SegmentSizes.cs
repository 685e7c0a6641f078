namespace Kvasir.KvCache.Retention;

/// <summary>Counts segments by their size, and the slots that they take: those of one size share slots.</summary>
sealed class SegmentSizes
{
    readonly long[] _sizes; // in the order of the layers that have them first
    readonly long[] _perSlot;
    readonly long[] _taken;
    readonly int[] _sizeOf; // of a layer

    public SegmentSizes(RetentionShape shape)
    {
        _sizes = [.. shape.Layers.Where(layer => layer.KvHeads > 0).Select(layer => layer.SegmentBytes).Distinct()];
        if (_sizes.Any(size => size < 1 || size > shape.SlotBytes))
            throw new ArgumentException(
                $"retention: a segment of {_sizes.Max()} bytes, expected at most the {shape.SlotBytes} of a slot of the pool");
        _perSlot = [.. _sizes.Select(size => shape.SlotBytes / size)];
        _taken = new long[_sizes.Length];
        _sizeOf = [.. shape.Layers.Select(layer => Array.IndexOf(_sizes, layer.SegmentBytes))];
    }

    /// <summary>Begins with what layers keep that do not select.</summary>
    public static SegmentSizes OfWindows(RetentionShape shape)
    {
        var sizes = new SegmentSizes(shape);
        for (int i = 0; i < shape.Layers.Length; i++)
            if (shape.Layers[i] is { Selects: false, KvHeads: > 0 } layer)
                sizes.Take(i, (long)layer.KvHeads * shape.SegmentsFor(Math.Min(layer.Keeps, shape.Positions)));
        return sizes;
    }

    /// <summary>Different sizes.</summary>
    public int Count => _sizes.Length;

    /// <summary>Slots of all sizes.</summary>
    public long Slots { get; private set; }

    /// <summary>Which of the sizes a layer's segments have.</summary>
    public int SizeOf(int layer) => _sizeOf[layer];

    public long PerSlot(int size) => _perSlot[size];

    public long Segments(int size) => _taken[size];

    public long[] SlotsBySize() => [.. Enumerable.Range(0, Count).Select(SlotsOf)];

    public void Take(int layer, long segments)
    {
        int size = _sizeOf[layer];
        Slots -= SlotsOf(size);
        _taken[size] += segments;
        Slots += SlotsOf(size);
    }

    /// <summary>Whether one more segment of a layer begins a slot.</summary>
    public bool OpensSlot(int layer) => _taken[_sizeOf[layer]] % _perSlot[_sizeOf[layer]] == 0;

    long SlotsOf(int size) => (_taken[size] + _perSlot[size] - 1) / _perSlot[size];
}
