using System.Runtime.CompilerServices;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// What one query has gathered of some positions: the largest score, the weights <c>2^(score - largest)</c> in total, and their sums of
/// values. It grows tile by tile, an online softmax (Milakov and Gimelshein, 2018, https://arxiv.org/abs/1805.02867), and two of them merge
/// into one. In memory it is a row of floats: [sums, padded | totals over positions mod 16 | largest].
/// </summary>
static unsafe class RunningSoftmax<T> where T : struct, ILanes<T>
{
    const int Lane = ILanes<T>.Count, Tile = AttentionInput.Tile;

    /// <summary>Floats that one takes.</summary>
    public static int Width(int headDim) => FloatRows.PadToLanes(headDim) + 2 * Lane;

    /// <summary>Nothing gathered yet.</summary>
    public static void Start(float* row, int headDim)
    {
        for (float* to = Totals(row, headDim); row <= to; row += Lane)
            T.Store(default, row);
        *row = float.NegativeInfinity;
    }

    /// <summary>
    /// Takes the scores of positions <c>[from, to)</c> of a tile and leaves their weights there; lanes beside them, up to whole
    /// vectors, weigh nothing whatever they held. Largest scores, totals and the scale of the sums are then those that the
    /// weighted values may be added to.
    /// </summary>
    /// <param name="row">The first of <paramref name="rows"/> rows.</param>
    /// <param name="headDim">The head dim.</param>
    /// <param name="rows">How many follow each other.</param>
    /// <param name="scores">[rows, tile].</param>
    /// <param name="from">The first position that the rows see.</param>
    /// <param name="to">The first that they do not see any more.</param>
    public static void Weigh(float* row, int headDim, int rows, float* scores, int from, int to)
    {
        int first = from & -Lane, end = FloatRows.PadToLanes(to);
        bool whole = first == from && end == to;
        if (!whole)
            FillEdges(scores, rows, from, to, float.NegativeInfinity);
        Raise(row, headDim, rows, scores, first, end);
        Exponentiate(row, headDim, rows, scores, first, end, addToTotal: whole);
        if (whole)
            return;
        FillEdges(scores, rows, from, to, 0f); // 2^-∞ is held at a tiny number
        AddTotals(row, headDim, rows, scores, first, end);
    }

    /// <summary>Adds what was gathered of later positions. If that is nothing, nothing changes.</summary>
    public static void Merge(float* row, float* later, int headDim)
    {
        if (float.IsNegativeInfinity(*Largest(later, headDim)))
            return;
        Raise(row, headDim, MathF.Max(*Largest(row, headDim), *Largest(later, headDim)));
        T kept = Exp<T>.PowerOf2(T.Broadcast(*Largest(later, headDim) - *Largest(row, headDim)));
        for (float* to = Totals(row, headDim); row <= to; row += Lane, later += Lane)
            T.Store(T.MultiplyAdd(T.Load(later), kept, T.Load(row)), row);
    }

    /// <summary>Adds a score that has no value, when all others have been gathered.</summary>
    public static void AddSink(float* row, int headDim, float score)
    {
        Raise(row, headDim, score);
        float* totals = Totals(row, headDim);
        T weight = Exp<T>.PowerOf2(T.Broadcast(score - *Largest(row, headDim)));
        *totals += T.Largest(weight); // all lanes are the same
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

    /// <summary>Writes what turns a score <c>s</c> into its probability <c>2^(s - scale[0]) · scale[1]</c>.</summary>
    public static void WriteScale(float* row, int headDim, float* scale) =>
        (scale[0], scale[1]) = (*Largest(row, headDim), 1 / T.Sum(T.Load(Totals(row, headDim))));

    static float* Totals(float* row, int headDim) => row + FloatRows.PadToLanes(headDim);

    static float* Largest(float* row, int headDim) => Totals(row, headDim) + Lane;

    // The steps are loops of their own: a row's next step waits for all of its last, but rows do not wait for each other.

    static void Raise(float* row, int headDim, int rows, float* scores, int from, int to)
    {
        for (; rows > 0; rows--, row += Width(headDim), scores += Tile)
        {
            T largest = T.Load(scores + from);
            for (int i = from + Lane; i < to; i += Lane)
                largest = T.Max(largest, T.Load(scores + i));
            Raise(row, headDim, T.Largest(largest));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void Exponentiate(float* row, int headDim, int rows, float* scores, int from, int to, bool addToTotal)
    {
        for (float* totals = Totals(row, headDim); rows > 0; rows--, totals += Width(headDim), scores += Tile)
        {
            T largest = T.Broadcast(totals[Lane]), total = T.Load(totals);
            for (int i = from; i < to; i += Lane)
            {
                T weight = Exp<T>.PowerOf2(T.Load(scores + i) - largest);
                T.Store(weight, scores + i);
                total += weight;
            }
            if (addToTotal)
                T.Store(total, totals);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void AddTotals(float* row, int headDim, int rows, float* scores, int from, int to)
    {
        for (float* totals = Totals(row, headDim); rows > 0; rows--, totals += Width(headDim), scores += Tile)
        {
            T total = T.Load(totals);
            for (int i = from; i < to; i += Lane)
                total += T.Load(scores + i);
            T.Store(total, totals);
        }
    }

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
        if (float.IsNegativeInfinity(*largest)) // all zeros
            row = largest;
        T kept = Exp<T>.PowerOf2(T.Broadcast(*largest - score));
        for (; row < largest; row += Lane)
            T.Store(T.Load(row) * kept, row);
        *largest = score;
    }

    static void FillEdges(float* lanes, int rows, int from, int to, float value)
    {
        for (; rows > 0; rows--, lanes += Tile)
        {
            for (int i = from & -Lane; i < from; i++)
                lanes[i] = value;
            for (int i = to; i < FloatRows.PadToLanes(to); i++)
                lanes[i] = value;
        }
    }
}
