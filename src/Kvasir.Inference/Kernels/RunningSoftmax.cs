using System.Runtime.CompilerServices;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// What one query has gathered of some positions: the largest score, the total of the weights <c>e^(score - largest)</c> and their sums of values.
/// It grows tile by tile, an online softmax (Milakov and Gimelshein, 2018, https://arxiv.org/abs/1805.02867), and two of them merge
/// into one. In memory it is a row of floats: [sums, padded | largest, total].
/// </summary>
static unsafe class RunningSoftmax<T> where T : struct, ILanes<T>
{
    /// <summary>Floats that one takes.</summary>
    public static int Width(int headDim) => FloatRows.Pad(headDim) + ILanes<T>.Count;

    /// <summary>Nothing gathered yet.</summary>
    public static void Start(float* row, int headDim)
    {
        new Span<float>(row, Width(headDim)).Clear();
        Largest(row, headDim) = float.NegativeInfinity;
    }

    /// <summary>
    /// Turns the scores of positions <c>[from, to)</c> of a tile into weights, and makes the sums ready to have those weights' values added.
    /// Lanes beside them, up to whole vectors, weigh nothing whatever they held.
    /// </summary>
    public static void Weigh(float* row, int headDim, float* scores, int from, int to)
    {
        int first = from & -ILanes<T>.Count, end = FloatRows.Pad(to);
        new Span<float>(scores + first, from - first).Fill(float.NegativeInfinity);
        new Span<float>(scores + to, end - to).Fill(float.NegativeInfinity);
        T largest = T.Broadcast(Largest(row, headDim));
        for (int i = first; i < end; i += ILanes<T>.Count)
            largest = T.Max(largest, T.Load(scores + i));
        Raise(row, headDim, T.Largest(largest));
        largest = T.Broadcast(Largest(row, headDim));
        for (int i = first; i < end; i += ILanes<T>.Count)
            T.Store(Exp<T>.Of(T.Load(scores + i) - largest), scores + i);
        new Span<float>(scores + first, from - first).Clear(); // e^-∞ is held at a tiny number
        new Span<float>(scores + to, end - to).Clear();
        T total = default;
        for (int i = first; i < end; i += ILanes<T>.Count)
            total += T.Load(scores + i);
        Total(row, headDim) += T.Sum(total);
    }

    /// <summary>Adds what was gathered of later positions. If that is nothing, nothing changes.</summary>
    public static void Merge(float* row, float* later, int headDim)
    {
        if (Total(later, headDim) == 0)
            return;
        Raise(row, headDim, MathF.Max(Largest(row, headDim), Largest(later, headDim)));
        T kept = Exp<T>.Of(T.Broadcast(Largest(later, headDim) - Largest(row, headDim)));
        for (int i = 0; i < headDim; i += ILanes<T>.Count)
            T.Store(T.MultiplyAdd(T.Load(later + i), kept, T.Load(row + i)), row + i);
        Total(row, headDim) += Total(later, headDim) * T.Largest(kept);
    }

    /// <summary>Writes the weighted mean of the values.</summary>
    public static void Finish(float* row, int headDim, float* result)
    {
        T total = T.Broadcast(Total(row, headDim));
        int i = 0;
        for (; i + ILanes<T>.Count <= headDim; i += ILanes<T>.Count)
            T.Store(T.Load(row + i) / total, result + i);
        for (; i < headDim; i++) // the next head's result follows
            result[i] = row[i] / Total(row, headDim);
    }

    static ref float Largest(float* row, int headDim) => ref row[FloatRows.Pad(headDim)];

    static ref float Total(float* row, int headDim) => ref row[FloatRows.Pad(headDim) + 1];

    /// <summary>Scales what was gathered to a new largest score. The common case, the old one, would be a multiplication by exactly 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Raise(float* row, int headDim, float largest)
    {
        if (largest == Largest(row, headDim))
            return;
        T kept = Exp<T>.Of(T.Broadcast(Largest(row, headDim) - largest));
        for (int i = 0; i < headDim; i += ILanes<T>.Count)
            T.Store(T.Load(row + i) * kept, row + i);
        Total(row, headDim) *= T.Largest(kept);
        Largest(row, headDim) = largest;
    }
}
