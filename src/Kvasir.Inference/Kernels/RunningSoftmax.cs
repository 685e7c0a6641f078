using System.Runtime.CompilerServices;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// What one query has gathered of some positions: the largest score, the weights <c>e^(score - largest)</c> in total, and their sums of values.
/// It grows tile by tile, an online softmax (Milakov and Gimelshein, 2018, https://arxiv.org/abs/1805.02867), and two of them merge
/// into one. In memory it is a row of floats: [sums, padded | totals over positions mod 16 | largest].
/// </summary>
static unsafe class RunningSoftmax<T> where T : struct, ILanes<T>
{
    const int Lane = ILanes<T>.Count;

    /// <summary>Floats that one takes.</summary>
    public static int Width(int headDim) => FloatRows.Pad(headDim) + 2 * Lane;

    /// <summary>Nothing gathered yet.</summary>
    public static void Start(float* row, int headDim)
    {
        for (float* to = Totals(row, headDim); row <= to; row += Lane)
            T.Store(default, row);
        *row = float.NegativeInfinity;
    }

    /// <summary>
    /// Raises the largest score to those of positions <c>[from, to)</c> of a tile. Lanes beside them, up to whole vectors, become minus infinity,
    /// whatever they held.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Raise(float* row, int headDim, float* scores, int from, int to)
    {
        Fill(scores, from, to, float.NegativeInfinity);
        int i = from & -Lane;
        T largest = T.Load(scores + i);
        for (i += Lane; i < to; i += Lane)
            largest = T.Max(largest, T.Load(scores + i));
        Raise(row, headDim, T.Largest(largest));
    }

    /// <summary>Turns the scores of positions <c>[from, to)</c> of a tile into weights, those of the lanes beside them into zeros, and adds them to the total.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Weigh(float* row, int headDim, float* scores, int from, int to)
    {
        T largest = T.Broadcast(*Largest(row, headDim)), total = T.Load(Totals(row, headDim));
        for (int i = from & -Lane; i < to; i += Lane)
            T.Store(Exp<T>.Of(T.Load(scores + i) - largest), scores + i);
        Fill(scores, from, to, 0f); // e^-∞ is held at a tiny number
        for (int i = from & -Lane; i < to; i += Lane)
            total += T.Load(scores + i);
        T.Store(total, Totals(row, headDim));
    }

    /// <summary>Adds what was gathered of later positions. If that is nothing, nothing changes.</summary>
    public static void Merge(float* row, float* later, int headDim)
    {
        if (float.IsNegativeInfinity(*Largest(later, headDim)))
            return;
        Raise(row, headDim, MathF.Max(*Largest(row, headDim), *Largest(later, headDim)));
        T kept = Exp<T>.Of(T.Broadcast(*Largest(later, headDim) - *Largest(row, headDim)));
        for (float* to = Totals(row, headDim); row <= to; row += Lane, later += Lane)
            T.Store(T.MultiplyAdd(T.Load(later), kept, T.Load(row)), row);
    }

    /// <summary>Writes the weighted mean of the values.</summary>
    public static void Finish(float* row, int headDim, float* result)
    {
        float total = T.Sum(T.Load(Totals(row, headDim)));
        int i = 0;
        for (; i + Lane <= headDim; i += Lane)
            T.Store(T.Load(row + i) / T.Broadcast(total), result + i);
        for (; i < headDim; i++) // the next head's result follows
            result[i] = row[i] / total;
    }

    static float* Totals(float* row, int headDim) => row + FloatRows.Pad(headDim);

    static float* Largest(float* row, int headDim) => Totals(row, headDim) + Lane;

    /// <summary>Scales what was gathered to a new largest score.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Raise(float* row, int headDim, float score)
    {
        if (!(score <= *Largest(row, headDim))) // the common case would be a multiplication by exactly 1
            Scale(row, headDim, score);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void Scale(float* row, int headDim, float score)
    {
        float* largest = Largest(row, headDim);
        T kept = Exp<T>.Of(T.Broadcast(*largest - score));
        for (; row < largest; row += Lane)
            T.Store(T.Load(row) * kept, row);
        *largest = score;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Fill(float* lanes, int from, int to, float value)
    {
        if (from % Lane != 0 || to % Lane != 0)
            FillEdges(lanes, from, to, value);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void FillEdges(float* lanes, int from, int to, float value)
    {
        for (int i = from & -Lane; i < from; i++)
            lanes[i] = value;
        for (int i = to; i < FloatRows.Pad(to); i++)
            lanes[i] = value;
    }
}
