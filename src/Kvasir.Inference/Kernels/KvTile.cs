using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Widens the keys and values of one KV head, sixteen places at a time: keys as columns, so that lanes are places; values as rows.
/// </summary>
readonly unsafe struct KvTile<T, TSource>(TSource source, AttentionScratch scratch)
    where T : struct, ILanes<T> where TSource : struct, IKvSource
{
    const int Lane = ILanes<T>.Count, Tile = AttentionInput.Tile;

    readonly TSource _source = source;
    readonly KvRows _keys = source.Keys, _values = source.Values;

    /// <summary>
    /// Places <c>[from, to)</c> of the tile at place <paramref name="start"/>, rounded outwards to sixteen: what lies beyond is in
    /// the block, but may be anything. The next tile's, as far as <paramref name="end"/>, are asked for meanwhile, a line for each line:
    /// its blocks may be anywhere, which the hardware cannot foresee, and more at a time than it can wait for would hold up the work.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public void Widen(int start, int from, int to, int end)
    {
        for (int t = from & -Lane; t < to; t += Lane)
        {
            int rows = Math.Min(Lane, to - t), place = start + t, next = place + Tile < end ? place + Tile : place;
            byte* key = _source.Key(place), value = _source.Value(place);
            WidenKeys(key, (nint)(_source.Key(next) - key), rows, scratch.Keys[0] + t);
            WidenValues(value, (nint)(_source.Value(next) - value), rows, scratch.Values[0] + t * _values.Padded);
        }
    }

    /// <summary>The keys alone, for those who want to know only how much each place is looked at.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public void WidenKeys(int start, int to)
    {
        for (int t = 0; t < to; t += Lane)
            WidenKeys(_source.Key(start + t), 0, Math.Min(Lane, to - t), scratch.Keys[0] + t);
    }

    /// <summary>Halves thirty-two columns at a time.</summary>
    void WidenKeys(byte* stored, nint ahead, int count, float* columns)
    {
        if (!_keys.AreHalves)
        {
            StoredRows<T>.Widen(_keys, stored, ahead, count, scratch.Stored[0]);
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
            StoredRows<T>.Widen(_values, stored, ahead, count, rows);
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

    // Into the second cache: the first waits for no more lines than some ten gigabytes a second.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Prefetch(byte* line)
    {
        if (Sse.IsSupported)
            Sse.Prefetch1(line);
    }
}
