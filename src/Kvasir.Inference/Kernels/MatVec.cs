using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// The product of <see cref="MatMul{T}"/> for few tokens (decode), where reading the weights is all the work: they are widened in registers on
/// their way to the sum instead of once into scratch memory. Every operation and its order are those of <see cref="MatMul{T}"/>, so are the bits.
/// </summary>
unsafe struct MatVec<T, TWeights>(Matrix w, FloatRows x, FloatRows? bias, FloatRows y, int tokens) : IComputeJob
    where T : struct, ILanes<T> where TWeights : struct, IWeightFormat<T>
{
    const int Tile = 4;
    const int OutputsPerItem = 64; // long stretches of memory for each thread
    const int Ahead = 8192; // bytes

    public static int Items(Matrix w) => (w.Rows + OutputsPerItem - 1) / OutputsPerItem;

    public readonly void Run(int item, int thread)
    {
        float* sums = stackalloc float[Tile * ILanes<T>.Count];
        int end = Math.Min(w.Rows, (item + 1) * OutputsPerItem);
        for (int o = item * OutputsPerItem; o < end; o += Tile)
            for (int token = 0; token < tokens; token++)
            {
                int outputs = Math.Min(Tile, end - o), last = end - 1; // rows beyond the end are the last again, and not stored
                Sum(w.Address(o), w.Address(Math.Min(o + 1, last)), w.Address(Math.Min(o + 2, last)), w.Address(Math.Min(o + 3, last)), x[token], w.Columns, sums);
                for (int i = 0; i < outputs; i++)
                    y[token][o + i] = T.Sum(T.Load(sums + i * ILanes<T>.Count)) + (bias is null ? 0f : bias[0][o + i]);
            }
    }

    // The four rows are one stretch of memory, read as four short streams that the hardware does not follow: it is asked for what comes after.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Prefetch(byte* start, int bytes)
    {
        if (Sse.IsSupported)
            for (int line = 0; line < bytes; line += 64)
                Sse.Prefetch0(start + line);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void Sum(byte* w0, byte* w1, byte* w2, byte* w3, float* x, int columns, float* sums)
    {
        T s0 = default, s1 = default, s2 = default, s3 = default;
        nint at = 0;
        for (int i = 0; i < columns; i += 2 * ILanes<T>.Count, at += TWeights.Bytes)
        {
            Prefetch(w0 + Ahead + Tile * at, Tile * TWeights.Bytes);
            T a = T.Load(x + i), b = T.Load(x + i + ILanes<T>.Count);
            TWeights.Load(w0 + at, out T first, out T second);
            s0 = T.MultiplyAdd(second, b, T.MultiplyAdd(first, a, s0));
            TWeights.Load(w1 + at, out first, out second);
            s1 = T.MultiplyAdd(second, b, T.MultiplyAdd(first, a, s1));
            TWeights.Load(w2 + at, out first, out second);
            s2 = T.MultiplyAdd(second, b, T.MultiplyAdd(first, a, s2));
            TWeights.Load(w3 + at, out first, out second);
            s3 = T.MultiplyAdd(second, b, T.MultiplyAdd(first, a, s3));
        }
        T.Store(s0, sums);
        T.Store(s1, sums + ILanes<T>.Count);
        T.Store(s2, sums + 2 * ILanes<T>.Count);
        T.Store(s3, sums + 3 * ILanes<T>.Count);
    }
}
