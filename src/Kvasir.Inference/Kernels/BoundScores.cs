using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// The most that the scores of a row can be in each span: <c>Σ_d max(q_d · least_d, q_d · most_d)</c>, in one chain of multiply-adds over
/// ascending elements, like scores. Rounding is monotone, so what is computed bounds the scores that are computed. An item is a row, a KV
/// head and some groups of spans.
/// </summary>
unsafe struct BoundScores<T>(PagedPortion portion, int pieces, AttentionScratch[] scratch) : IComputeJob where T : struct, ILanes<T>
{
    const int Group = PageBounds.Group, Together = 4;

    /// <summary>Groups of spans of an item.</summary>
    public const int Piece = 16;

    public readonly void Run(int item, int thread)
    {
        (int piece, item) = (item % pieces, item / pieces);
        (int row, int kvHead) = (item / portion.Input.KvHeads, item % portion.Input.KvHeads);
        RowRun run = portion.Row(row);
        int groups = (portion.Input.WholePages(run.FirstRow) * PageBounds.Spans + Group - 1) / Group;
        int end = Math.Min(groups, (piece + 1) * Piece);
        if (piece * Piece >= end)
            return;
        BlockRows rows = new(portion.Input, run, kvHead);
        new StretchAttention<T, BlockRows>(portion.Input, run, rows, kvHead, scratch[thread]).LoadQueries();
        ushort** bounds = stackalloc ushort*[Together];
        for (int first = piece * Piece; first < end; first += Together)
        {
            for (int i = 0; i < Together; i++)
                bounds[i] = run.Table.Pages!.Bounds.Of(portion.Input.Layer, kvHead, Math.Min(first + i, end - 1));
            for (int head = 0; head < portion.Input.Group; head++)
                Bound(scratch[thread].Queries[0] + head * FloatRows.PadToLanes(portion.Input.KeyDim), portion.Input.KeyDim, bounds,
                    portion.Bounds(row, kvHead, head) + first * Group, end - first);
        }
    }

    /// <summary>Four groups at a time: of those that do not exist, the last one again.</summary>
    static void Bound(float* query, int dim, ushort** bounds, float* most, int groups)
    {
        ushort* b0 = bounds[0], b1 = bounds[1], b2 = bounds[2], b3 = bounds[3];
        T s0 = default, s1 = default, s2 = default, s3 = default;
        for (int i = 0; i < dim; i++)
        {
            T q = T.Broadcast(query[i]);
            nint side = i * 2 * Group + (query[i] < 0 ? 0 : Group);
            s0 = T.MultiplyAdd(q, T.LoadHalf(b0 + side), s0);
            s1 = T.MultiplyAdd(q, T.LoadHalf(b1 + side), s1);
            s2 = T.MultiplyAdd(q, T.LoadHalf(b2 + side), s2);
            s3 = T.MultiplyAdd(q, T.LoadHalf(b3 + side), s3);
        }
        T.Store(s0, most);
        if (groups > 1)
            T.Store(s1, most + Group);
        if (groups > 2)
            T.Store(s2, most + 2 * Group);
        if (groups > 3)
            T.Store(s3, most + 3 * Group);
    }
}
