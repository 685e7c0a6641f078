using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;

namespace Kvasir.Inference.Kernels;

/// <summary>Widens the keys and values of one KV head, sixteen positions at a time: keys as columns, so that lanes are positions; values as rows.</summary>
readonly unsafe struct KvTile<T>(KvLayout layout, int layer, int kvHead, AttentionScratch scratch) where T : struct, ILanes<T>
{
    const int Lane = ILanes<T>.Count, Tile = AttentionInput.Tile;

    readonly int _dim = layout.Layers[layer].HeadDim, _padded = FloatRows.PadToLanes(layout.Layers[layer].HeadDim), _rowBytes = layout.RowBytes(layer);
    readonly bool _halves = layout.Codec is F16Codec && layout.Layers[layer].HeadDim % (2 * Lane) == 0;

    /// <summary>
    /// Positions <c>[from, to)</c> of the tile at position <paramref name="start"/>, rounded outwards to sixteen: what lies beyond is in the block, but
    /// may be anything. The next tile's, as far as <paramref name="end"/>, are asked for meanwhile, a line for each line: its blocks may be anywhere,
    /// which the hardware cannot foresee, and more at a time than it can wait for would hold up the work.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public void Widen(BlockTable table, int start, int from, int to, int end)
    {
        for (int t = from & -Lane; t < to; t += Lane)
        {
            byte* stored = Stored(table, start + t);
            nint ahead = start + t + Tile < end ? (nint)(Stored(table, start + t + Tile) - stored) : 0;
            byte* keys = stored + layout.KeyOffset(layer, kvHead), values = stored + layout.ValueOffset(layer, kvHead);
            float* keyColumns = scratch.Keys[0] + t, valueRows = scratch.Values[0] + t * _padded;
            if (_halves)
            {
                for (int i = 0; i < _dim; i += 2 * Lane)
                    TransposeHalves((ushort*)keys + i, ahead, keyColumns + i * Tile);
                WidenHalves((ushort*)values, ahead, valueRows);
            }
            else
            {
                Decode(keys, Math.Min(Lane, to - t), scratch.Stored[0]);
                for (int i = 0; i < _dim; i += Lane)
                    T.Transpose(scratch.Stored[0] + i, _padded, keyColumns + i * Tile, Tile);
                Decode(values, Math.Min(Lane, to - t), valueRows);
            }
        }
    }

    byte* Stored(BlockTable table, int position) => table.Address(position / layout.BlockTokens) + (long)(position % layout.BlockTokens) * _rowBytes;

    /// <summary>Thirty-two columns of sixteen rows.</summary>
    void TransposeHalves(ushort* halves, nint ahead, float* columns)
    {
        for (int i = 0; i < Lane; i++)
            Prefetch((byte*)halves + i * _rowBytes + ahead);
        T.TransposeHalves(halves, _rowBytes / sizeof(ushort), columns, Tile);
    }

    /// <summary>Sixteen rows.</summary>
    void WidenHalves(ushort* halves, nint ahead, float* rows)
    {
        for (float* end = rows + Lane * _dim; rows < end; rows += 2 * Lane, halves += 2 * Lane)
        {
            Prefetch((byte*)halves + ahead);
            T.Store(T.LoadHalf(halves), rows);
            T.Store(T.LoadHalf(halves + Lane), rows + Lane);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Prefetch(byte* line)
    {
        if (Sse.IsSupported)
            Sse.Prefetch0(line);
    }

    /// <summary>Any codec, any head dim: only rows that were written, since a codec may refuse others.</summary>
    void Decode(byte* stored, int count, float* rows)
    {
        for (; count > 0; count--, stored += _rowBytes, rows += _padded)
        {
            layout.Codec.Decode(new(stored, _rowBytes), new(rows, _dim));
            new Span<float>(rows + _dim, _padded - _dim).Clear();
        }
    }
}
