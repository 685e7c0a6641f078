using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Kvasir.Formats.Quantization;
using Kvasir.KvCache.Codecs;

namespace Kvasir.Inference.Kernels;

/// <summary>Widens rows of keys or values to floats, with the bits that their codec gives: the common types without asking it.</summary>
static unsafe class StoredRows<T> where T : struct, ILanes<T>
{
    const int Lane = ILanes<T>.Count, Line = 64;

    /// <summary>
    /// Widens rows that follow one another; nothing behind them is touched, since it may be anything. Elements up to whole vectors are 0.
    /// </summary>
    /// <param name="from">How they are stored.</param>
    /// <param name="stored">The first row.</param>
    /// <param name="ahead">How far behind it rows lie that are to be fetched from memory meanwhile.</param>
    /// <param name="count">How many.</param>
    /// <param name="rows">Receives them, padded.</param>
    public static void Widen(in KvRows from, byte* stored, nint ahead, int count, float* rows)
    {
        switch (from.Codec)
        {
            case Q8_0Codec: Each<Q8_0>(from, stored, ahead, count, rows); break;
            case Q4_0Codec: Each<Q4_0>(from, stored, ahead, count, rows); break;
            case F16Codec when from.Dim % Lane == 0: Each<Halves>(from, stored, ahead, count, rows); break;
            case BF16Codec when from.Dim % Lane == 0: Each<BrainHalves>(from, stored, ahead, count, rows); break;
            default: Decode(from, stored, count, rows); break;
        }
    }

    static void Each<TRow>(in KvRows from, byte* stored, nint ahead, int count, float* rows) where TRow : IStoredRow
    {
        for (; count > 0; count--, stored += from.Bytes, rows += from.Padded)
        {
            for (int line = 0; line < from.Bytes && Sse.IsSupported; line += Line)
                Sse.Prefetch1(stored + ahead + line);
            TRow.Widen(stored, rows, rows + from.Dim);
        }
    }

    static void Decode(in KvRows from, byte* stored, int count, float* rows)
    {
        for (; count > 0; count--, stored += from.Bytes, rows += from.Padded)
        {
            from.Codec.Decode(new(stored, from.Bytes), new(rows, from.Dim));
            new Span<float>(rows + from.Dim, from.Padded - from.Dim).Clear();
        }
    }

    interface IStoredRow
    {
        static abstract void Widen(byte* stored, float* row, float* end);
    }

    /// <summary>As <see cref="Q8_0Codec"/> lays them out.</summary>
    readonly struct Q8_0 : IStoredRow
    {
        public static void Widen(byte* stored, float* row, float* end)
        {
            for (; row < end; row += 2 * Lane, stored += sizeof(ushort) + 2 * Lane)
            {
                T scale = Scale(stored);
                sbyte* codes = (sbyte*)stored + sizeof(ushort);
                T.Store(T.LoadSignedBytes(codes) * scale, row);
                T.Store(T.LoadSignedBytes(codes + Lane) * scale, row + Lane);
            }
        }
    }

    /// <summary>As <see cref="Q4_0Codec"/> lays them out.</summary>
    readonly struct Q4_0 : IStoredRow
    {
        public static void Widen(byte* stored, float* row, float* end)
        {
            T middle = T.Broadcast(8);
            for (; row < end; row += 2 * Lane, stored += sizeof(ushort) + Lane)
            {
                T scale = Scale(stored);
                T.LoadNibbles(stored + sizeof(ushort), out T low, out T high);
                T.Store((low - middle) * scale, row);
                T.Store((high - middle) * scale, row + Lane);
            }
        }
    }

    readonly struct Halves : IStoredRow
    {
        public static void Widen(byte* stored, float* row, float* end)
        {
            for (ushort* halves = (ushort*)stored; row < end; row += Lane, halves += Lane)
                T.Store(T.LoadHalf(halves), row);
        }
    }

    readonly struct BrainHalves : IStoredRow
    {
        public static void Widen(byte* stored, float* row, float* end)
        {
            for (ushort* halves = (ushort*)stored; row < end; row += Lane, halves += Lane)
                T.Store(T.LoadBrainHalf(halves), row);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static T Scale(byte* group) => T.Broadcast(F16.Widen(*(ushort*)group));
}
