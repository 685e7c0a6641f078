using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Widens the keys and values of one KV head, sixteen positions at a time: keys as columns, so that lanes are positions; values as rows.
/// </summary>
readonly unsafe struct KvTile<T>(KvLayout layout, int layer, int kvHead, AttentionScratch scratch) where T : struct, ILanes<T>
{
    const int Lane = ILanes<T>.Count, Tile = AttentionInput.Tile;

    readonly KvRows _keys = new(layout.KeyOffset(layer, kvHead), layout.Layers[layer].KeyDim, layout.KeyCodec);
    readonly KvRows _values = new(layout.ValueOffset(layer, kvHead), layout.Layers[layer].ValueDim, layout.ValueCodec);

    /// <summary>
    /// Positions <c>[from, to)</c> of the tile at position <paramref name="start"/>, rounded outwards to sixteen: what lies beyond is in
    /// the block, but may be anything. The next tile's, as far as <paramref name="end"/>, are asked for meanwhile, a line for each line:
    /// its blocks may be anywhere, which the hardware cannot foresee, and more at a time than it can wait for would hold up the work.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public void Widen(BlockTable table, int start, int from, int to, int end)
    {
        for (int t = from & -Lane; t < to; t += Lane)
        {
            int rows = Math.Min(Lane, to - t);
            KvPlace place = Find(table, start + t), next = start + t + Tile < end ? Find(table, start + t + Tile) : place;
            WidenKeys(_keys.At(place), (nint)(_keys.At(next) - _keys.At(place)), rows, scratch.Keys[0] + t);
            WidenValues(_values.At(place), (nint)(_values.At(next) - _values.At(place)), rows, scratch.Values[0] + t * _values.Padded);
        }
    }

    KvPlace Find(BlockTable table, int position) => new(table.Address(position / layout.BlockTokens), position % layout.BlockTokens);

    /// <summary>Halves thirty-two columns at a time.</summary>
    void WidenKeys(byte* stored, nint ahead, int count, float* columns)
    {
        if (!_keys.AreHalves)
        {
            Decode(stored, count, _keys, scratch.Stored[0]);
            for (int i = 0; i < _keys.Dim; i += Lane)
                T.Transpose(scratch.Stored[0] + i, _keys.Padded, columns + i * Tile, Tile);
            return;
        }
        for (int i = 0; i < _keys.Dim; i += 2 * Lane)
        {
            ushort* halves = (ushort*)stored + i;
            for (int row = 0; row < Lane; row++)
                Prefetch((byte*)halves + row * _keys.Bytes + ahead);
            T.TransposeHalves(halves, _keys.Bytes / sizeof(ushort), columns + i * Tile, Tile);
        }
    }

    void WidenValues(byte* stored, nint ahead, int count, float* rows)
    {
        if (!_values.AreHalves)
        {
            Decode(stored, count, _values, rows);
            return;
        }
        ushort* halves = (ushort*)stored;
        for (float* end = rows + Lane * _values.Dim; rows < end; rows += 2 * Lane, halves += 2 * Lane)
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

    /// <summary>Any codec, any width: only rows that were written, since a codec may refuse others.</summary>
    static void Decode(byte* stored, int count, in KvRows from, float* rows)
    {
        for (; count > 0; count--, stored += from.Bytes, rows += from.Padded)
        {
            from.Codec.Decode(new(stored, from.Bytes), new(rows, from.Dim));
            new Span<float>(rows + from.Dim, from.Padded - from.Dim).Clear();
        }
    }
}

/// <summary>A token's place.</summary>
/// <param name="block">First byte of its block.</param>
/// <param name="token">Which token of the block.</param>
readonly unsafe struct KvPlace(byte* block, int token)
{
    public readonly byte* Block = block;
    public readonly int Token = token;
}

/// <summary>How the keys, or the values, of one KV head lie in a block.</summary>
/// <param name="offset">Offset of the first row.</param>
/// <param name="dim">Elements of a row.</param>
/// <param name="codec">How a row is stored.</param>
readonly unsafe struct KvRows(long offset, int dim, IKvCodec codec)
{
    public readonly int Dim = dim, Padded = FloatRows.PadToLanes(dim), Bytes = codec.RowBytes(dim);

    /// <summary>Whether rows are halves that fill whole vectors, two at a time.</summary>
    public readonly bool AreHalves = codec is F16Codec && dim % 32 == 0;

    public readonly IKvCodec Codec = codec;

    readonly long _offset = offset;

    /// <summary>A token's row.</summary>
    public byte* At(KvPlace place) => place.Block + _offset + (long)place.Token * Bytes;
}
