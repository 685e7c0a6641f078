using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// The most that the scores of a row can be in each span: <c>Σ_d max(q_d · least_d, q_d · most_d)</c>. Since bounds are steps from where a
/// range begins, this is <c>Σ_d q_d · start_d + Σ_d (q_d · width_d) · step_d</c>, with the least step where <c>q_d</c> is negative, and else
/// the greatest. An item is a row, a KV head and some groups of spans.
/// </summary>
unsafe struct BoundScores<T>(PagedPortion portion, int pieces, AttentionScratch[] scratch) : IComputeJob where T : struct, ILanes<T>
{
    const int Group = PageBounds.Group, Both = 2 * Group, Tile = AttentionInput.Tile, Together = Tile / Both, Chains = 4;

    /// <summary>Groups of spans of an item.</summary>
    public const int Piece = 16;

    public readonly void Run(int item, int thread)
    {
        (int piece, item) = (item % pieces, item / pieces);
        (int row, int kvHead) = (item / portion.Input.KvHeads, item % portion.Input.KvHeads);
        RowRun run = portion.Row(row);
        int end = Math.Min(portion.Input.WholeGroups(run.FirstRow), (piece + 1) * Piece);
        if (piece * Piece >= end)
            return;
        BlockRows rows = new(portion.Input, run, kvHead);
        new StretchAttention<T, BlockRows>(portion.Input, run, rows, kvHead, scratch[thread]).LoadQueries();
        for (int group = piece * Piece; group < end; group += Together)
        {
            int next = Math.Min(group + 1, end - 1);
            Widen(run, kvHead, group, scratch[thread].Keys[0]);
            Widen(run, kvHead, next, scratch[thread].Keys[0] + Both);
            for (int head = 0; head < portion.Input.Group; head++)
            {
                float* query = scratch[thread].Queries[0] + head * FloatRows.PadToLanes(portion.Input.KeyDim);
                float* most = portion.Bounds(row, kvHead, head);
                T first = T.Broadcast(Scale(run, kvHead, group, query, scratch[thread].Stored[0]));
                T second = T.Broadcast(Scale(run, kvHead, next, query, scratch[thread].Stored[1]));
                Add(query, scratch[thread].Stored[0], scratch[thread].Stored[1], scratch[thread].Keys[0], ref first, ref second);
                T.Store(second, most + next * Group);
                T.Store(first, most + group * Group);
            }
        }
    }

    /// <summary>The steps of a group as numbers: [element, 16 least | 16 greatest | …].</summary>
    readonly void Widen(RowRun run, int kvHead, int group, float* numbers)
    {
        byte* steps = run.Table.Pages!.Bounds.Steps(portion.Input.Layer, kvHead, group);
        for (int i = 0; i < portion.Input.KeyDim; i++, steps += Group, numbers += Tile)
        {
            T.LoadNibbles(steps, out T least, out T most);
            T.Store(least, numbers);
            T.Store(most, numbers + Group);
        }
    }

    /// <summary>A query in steps of a group; returns what it gives where the ranges begin.</summary>
    readonly float Scale(RowRun run, int kvHead, int group, float* query, float* scaled)
    {
        ushort* starts = run.Table.Pages!.Bounds.Starts(portion.Input.Layer, kvHead, group);
        ushort* widths = run.Table.Pages!.Bounds.Widths(portion.Input.Layer, kvHead, group);
        T sum = default;
        for (int i = 0; i < portion.Input.KeyDim; i += ILanes<T>.Count)
        {
            T some = T.Load(query + i);
            T.Store(some * T.LoadHalf(widths + i), scaled + i);
            sum = T.MultiplyAdd(some, T.LoadHalf(starts + i), sum);
        }
        return T.Sum(sum);
    }

    /// <summary>Two groups side by side, of each some chains, since each addition waits for the one before.</summary>
    readonly void Add(float* query, float* scaled0, float* scaled1, float* steps, ref T first, ref T second)
    {
        T a0 = first, b0 = second, a1 = default, b1 = default, a2 = default, b2 = default, a3 = default, b3 = default;
        int dim = portion.Input.KeyDim, i = 0;
        for (; i + Chains <= dim; i += Chains)
        {
            float* s0 = Side(query, i, steps), s1 = Side(query, i + 1, steps), s2 = Side(query, i + 2, steps), s3 = Side(query, i + 3, steps);
            (a0, b0) = (T.MultiplyAdd(T.Broadcast(scaled0[i]), T.Load(s0), a0), T.MultiplyAdd(T.Broadcast(scaled1[i]), T.Load(s0 + Both), b0));
            (a1, b1) = (T.MultiplyAdd(T.Broadcast(scaled0[i + 1]), T.Load(s1), a1), T.MultiplyAdd(T.Broadcast(scaled1[i + 1]), T.Load(s1 + Both), b1));
            (a2, b2) = (T.MultiplyAdd(T.Broadcast(scaled0[i + 2]), T.Load(s2), a2), T.MultiplyAdd(T.Broadcast(scaled1[i + 2]), T.Load(s2 + Both), b2));
            (a3, b3) = (T.MultiplyAdd(T.Broadcast(scaled0[i + 3]), T.Load(s3), a3), T.MultiplyAdd(T.Broadcast(scaled1[i + 3]), T.Load(s3 + Both), b3));
        }
        for (; i < dim; i++)
        {
            float* s0 = Side(query, i, steps);
            (a0, b0) = (T.MultiplyAdd(T.Broadcast(scaled0[i]), T.Load(s0), a0), T.MultiplyAdd(T.Broadcast(scaled1[i]), T.Load(s0 + Both), b0));
        }
        (first, second) = (a0 + a1 + (a2 + a3), b0 + b1 + (b2 + b3));
    }

    /// <summary>Where an element's steps lie that make a query's product the largest.</summary>
    static float* Side(float* query, int element, float* steps) => steps + element * Tile + (query[element] < 0 ? 0 : Group);
}
