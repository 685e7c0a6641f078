using Kvasir.KvCache.Codecs;

namespace Kvasir.KvCache.Layout;

/// <summary>
/// Copies blocks between layouts that differ in their codecs: a tier may store in fewer bits what the pool holds as halves.
/// </summary>
public static unsafe class BlockTranscoder
{
    const int MostElementsOnStack = 1024;

    /// <summary>Copies a block row by row, through floats. Bytes of the destination between its layers stay as they are.</summary>
    /// <param name="from">Shape of the source.</param>
    /// <param name="source">A block of <see cref="KvLayout.BlockBytes"/> of <paramref name="from"/>.</param>
    /// <param name="to">Shape of the destination: the same but for the codecs.</param>
    /// <param name="destination">A block of <see cref="KvLayout.BlockBytes"/> of <paramref name="to"/>, apart from the source.</param>
    /// <exception cref="ArgumentException">Tokens of a block or layers differ.</exception>
    public static void Transcode(KvLayout from, byte* source, KvLayout to, byte* destination)
    {
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(to);
        if (from.BlockTokens != to.BlockTokens || !from.Layers.AsSpan().SequenceEqual(to.Layers.AsSpan()))
            throw new ArgumentException($"layouts of {from.Layers.Length} and {to.Layers.Length} layers, {from.BlockTokens} and "
                + $"{to.BlockTokens} tokens: only the codecs may differ");
        Span<float> onStack = stackalloc float[MostElementsOnStack];
        for (int layer = 0; layer < from.Layers.Length; layer++)
        {
            KvLayer shape = from.Layers[layer];
            if (shape.Producer != layer)
                continue; // its rows are the producer's
            int widest = Math.Max(shape.KeyDim, shape.ValueDim), rows = shape.KvHeads * from.BlockTokens;
            Span<float> row = widest <= MostElementsOnStack ? onStack[..widest] : new float[widest];
            byte* keys = destination + to.KeyOffset(layer, 0), values = destination + to.ValueOffset(layer, 0);
            Copy(from.KeyCodec, source + from.KeyOffset(layer, 0), to.KeyCodec, keys, rows, row[..shape.KeyDim]);
            Copy(from.ValueCodec, source + from.ValueOffset(layer, 0), to.ValueCodec, values, rows, row[..shape.ValueDim]);
        }
    }

    /// <summary>The keys or the values of a layer: one row after another, of all heads.</summary>
    static void Copy(IKvCodec decoder, byte* source, IKvCodec encoder, byte* destination, int rows, Span<float> row)
    {
        int sourceBytes = decoder.RowBytes(row.Length), destinationBytes = encoder.RowBytes(row.Length);
        for (int i = 0; i < rows; i++, source += sourceBytes, destination += destinationBytes)
        {
            decoder.Decode(new ReadOnlySpan<byte>(source, sourceBytes), row);
            encoder.Encode(row, new Span<byte>(destination, destinationBytes));
        }
    }
}
