using Kvasir.KvCache.Layout;

namespace Kvasir.KvCache.Streaming;

/// <summary>The keys and values of one layer in a block, and where a file keeps those of all its slots.</summary>
/// <param name="Owner">The layer whose keys and values they are.</param>
/// <param name="Offset">First byte in a block.</param>
/// <param name="Bytes">How many.</param>
/// <param name="Stride">From one slot to the next: whole pages, as direct I/O wants them.</param>
/// <param name="FileOffset">Where the first slot's lie in the file.</param>
readonly record struct LayerSlice(int Owner, long Offset, int Bytes, int Stride, long FileOffset);

/// <summary>
/// A block cut into its layers, and a file ordered by them: <c>[layer][slot]</c>. What a layer's attention reads of slots in a row is one
/// piece of the file, whereas whole blocks would have to be read once for each layer.
/// </summary>
sealed class LayerSlices
{
    readonly LayerSlice[] _slices;

    public LayerSlices(KvLayout layout, int slots)
    {
        _slices = new LayerSlice[layout.Layers.Length];
        for (int layer = 0; layer < _slices.Length; layer++)
            if (layout.Layers[layer].Producer is var producer && producer != layer)
                _slices[layer] = _slices[producer];
            else
                _slices[layer] = Append(layout, layer, slots);
        Owning = [.. Enumerable.Range(0, _slices.Length).Where(layer => layout.Layers[layer].Producer == layer && layout.Holds(layer))];
    }

    /// <summary>Layers that have keys and values of their own.</summary>
    public int[] Owning { get; }

    /// <summary>Bytes of the file for each slot.</summary>
    public long SlotBytes { get; private set; }

    public LayerSlice this[int layer] => _slices[layer];

    /// <summary>Bytes in the file of the layer that takes most of them.</summary>
    public int LargestStride => _slices.Max(slice => slice.Stride);

    LayerSlice Append(KvLayout layout, int layer, int slots)
    {
        long start = layout.KeyOffset(layer, 0), values = layout.ValueOffset(layer, 0);
        long valueBytes = (long)layout.Layers[layer].KvHeads * layout.BlockTokens * layout.ValueRowBytes(layer);
        int bytes = (int)(RoundUp(values + valueBytes, KvLayout.Alignment) - start), stride = (int)RoundUp(bytes, KvLayout.PageBytes);
        var slice = new LayerSlice(layer, start, bytes, stride, SlotBytes * slots);
        SlotBytes += stride;
        return slice;
    }

    static long RoundUp(long value, int unit) => (value + unit - 1) / unit * unit;
}
