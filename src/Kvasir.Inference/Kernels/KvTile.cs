using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Kvasir.KvCache;
using Kvasir.KvCache.Codecs;

namespace Kvasir.Inference.Kernels;

/// <summary>Widens the keys and values of one KV head, sixteen positions at a time: keys as columns, so that lanes are positions; values as rows.</summary>
readonly unsafe struct KvTile<T>(KvLayout layout, int layer, int kvHead, AttentionScratch scratch) where T : struct, ILanes<T>
{
    const int Lane = ILanes<T>.Count, Tile = AttentionInput.Tile;

    readonly int _dim = layout.Layers[layer].HeadDim, _rowBytes = layout.RowBytes(layer);

    /// <summary>
    /// Positions <c>[from, to)</c> of the tile at position <paramref name="start"/>, rounded outwards to sixteen: what lies beyond is in the block, but
    /// may be anything.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public void Widen(BlockTable table, int start, int from, int to, int end)
    {
        for (int t = from & -Lane; t < to; t += Lane)
        {
            int block = (start + t) / layout.BlockTokens, token = (start + t) % layout.BlockTokens;
            byte* stored = table.Address(block) + (long)token * _rowBytes;
            WidenKeys(stored + layout.KeyOffset(layer, kvHead), Math.Min(Lane, to - t), scratch.Keys[0] + t);
            WidenValues(stored + layout.ValueOffset(layer, kvHead), Math.Min(Lane, to - t), scratch.Values[0] + t * FloatRows.Pad(_dim));
            if (start + t + Tile < end)
                Prefetch(table, start + t + Tile);
        }
    }

    /// <summary>Asks for sixteen positions of the next tile: each block is elsewhere, which the hardware cannot foresee.</summary>
    void Prefetch(BlockTable table, int position)
    {
        if (!Sse.IsSupported)
            return;
        byte* stored = table.Address(position / layout.BlockTokens) + (long)(position % layout.BlockTokens) * _rowBytes;
        PrefetchLines(stored + layout.KeyOffset(layer, kvHead), Lane * _rowBytes);
        PrefetchLines(stored + layout.ValueOffset(layer, kvHead), Lane * _rowBytes);
    }

    static void PrefetchLines(byte* line, int bytes)
    {
        for (byte* end = line + bytes; line < end; line += 4 * 64)
        {
            Sse.Prefetch0(line);
            Sse.Prefetch0(line + 64);
            Sse.Prefetch0(line + 2 * 64);
            Sse.Prefetch0(line + 3 * 64);
        }
    }

    void WidenKeys(byte* stored, int count, float* keys)
    {
        if (layout.Codec is F16Codec && _dim % (2 * Lane) == 0)
        {
            for (int i = 0; i < _dim; i += 2 * Lane)
                TransposeHalves((float*)stored + i / 2, keys + i * Tile);
            return;
        }
        int stride = FloatRows.Pad(_dim);
        WidenValues(stored, count, scratch.Stored[0]);
        for (int i = 0; i < _dim; i += Lane)
            T.Transpose(scratch.Stored[0] + i, stride, keys + i * Tile, Tile);
    }

    // Halves are transposed in pairs, before they are widened: half the work.
    void TransposeHalves(float* pairs, float* keys)
    {
        float* transposed = scratch.Stored[0];
        T.Transpose(pairs, _rowBytes / sizeof(float), transposed, Lane);
        for (int i = 0; i < Lane; i++, keys += 2 * Tile)
        {
            T.LoadHalfPairs((ushort*)(transposed + i * Lane), out T first, out T second);
            T.Store(first, keys);
            T.Store(second, keys + Tile);
        }
    }

    void WidenValues(byte* stored, int count, float* values)
    {
        int stride = FloatRows.Pad(_dim);
        if (layout.Codec is F16Codec && stride == _dim)
            WidenHalves((ushort*)stored, count * _dim, values);
        else
            for (int t = 0; t < count; t++, values += stride)
            {
                layout.Codec.Decode(new(stored + (long)t * _rowBytes, _rowBytes), new(values, _dim));
                new Span<float>(values + _dim, stride - _dim).Clear();
            }
    }

    static void WidenHalves(ushort* halves, int count, float* floats)
    {
        float* end = floats + count;
        for (; floats + 2 * Lane <= end; floats += 2 * Lane, halves += 2 * Lane)
        {
            T.Store(T.LoadHalf(halves), floats);
            T.Store(T.LoadHalf(halves + Lane), floats + Lane);
        }
        if (floats < end)
            T.Store(T.LoadHalf(halves), floats);
    }
}
