using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Finds between which bounds the keys of pages lie that have become whole, from what is stored. An item is a run, a KV head and some
/// pages.
/// </summary>
unsafe struct BoundKeys<T>(AttentionInput input, int pieces, AttentionScratch[] scratch) : IComputeJob where T : struct, ILanes<T>
{
    const int Page = PageBounds.PageTokens, Group = PageBounds.Group, Spans = PageBounds.Spans;

    /// <summary>Pages of an item.</summary>
    public const int Piece = 64;

    public readonly void Run(int item, int thread)
    {
        (int piece, item) = (item % pieces, item / pieces);
        (RowRun run, int kvHead) = (input.Runs[item / input.KvHeads], item % input.KvHeads);
        PageBounds bounds = run.Table.Pages!.Bounds;
        int whole = input.WholePages(run.FirstRow + run.Rows - 1), first = bounds.Bounded(input.Layer, kvHead);
        BlockRows rows = new(input, run, kvHead);
        for (int page = Math.Max(first, piece * Piece); page < Math.Min(whole, (piece + 1) * Piece); page++)
        {
            StoredRows<T>.Widen(rows.Keys, rows.Key(page * Page), 0, Page, scratch[thread].Stored[0]);
            for (int span = 0; span < Spans; span++)
                Bound(scratch[thread].Stored[0] + span * PageBounds.SpanTokens * rows.Keys.Padded, rows.Keys,
                    bounds.Of(input.Layer, kvHead, (page * Spans + span) / Group) + (page * Spans + span) % Group);
        }
    }

    /// <summary>Of the keys of a span, the least and the greatest of each element.</summary>
    static void Bound(float* keys, KvRows shape, ushort* bounds)
    {
        float* least = stackalloc float[ILanes<T>.Count], most = stackalloc float[ILanes<T>.Count];
        for (int i = 0; i < shape.Dim; i += ILanes<T>.Count)
        {
            T low = T.Load(keys + i), high = low;
            for (int key = 1; key < PageBounds.SpanTokens; key++)
            {
                T next = T.Load(keys + key * shape.Padded + i);
                (low, high) = (T.Min(low, next), T.Max(high, next));
            }
            T.Store(low, least);
            T.Store(high, most);
            for (int lane = 0; lane < Math.Min(ILanes<T>.Count, shape.Dim - i); lane++, bounds += 2 * Group)
                (bounds[0], bounds[Group]) = (Below(least[lane]), Above(most[lane]));
        }
    }
    static ushort Above(float number)
    {
        Half half = (Half)number;
        return BitConverter.HalfToUInt16Bits((float)half < number ? Half.BitIncrement(half) : half);
    }

    static ushort Below(float number)
    {
        Half half = (Half)number;
        return BitConverter.HalfToUInt16Bits((float)half > number ? Half.BitDecrement(half) : half);
    }
}
