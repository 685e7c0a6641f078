using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Finds between which bounds the keys of groups of pages lie that have become whole, from what is stored. An item is a run, a KV head and
/// some groups.
/// </summary>
unsafe struct BoundKeys<T>(AttentionInput input, StretchPart part, int pieces, AttentionScratch[] scratch) : IComputeJob
    where T : struct, ILanes<T>
{
    const int Page = PageBounds.PageTokens, Group = PageBounds.Group, Spans = PageBounds.Spans, Pages = PageBounds.GroupPages;

    /// <summary>Groups of an item.</summary>
    public const int Piece = 16;

    public readonly void Run(int item, int thread)
    {
        (int piece, item) = (item % pieces, item / pieces);
        (RowRun run, int kvHead) = (input.Runs[item / input.KvHeads], item % input.KvHeads);
        PageBounds bounds = run.Table.Pages!.Bounds;
        int whole = part.WholeGroups(input, run), first = bounds.Bounded(input.Layer, kvHead);
        BlockRows rows = new(input, run, kvHead);
        for (int group = Math.Max(first, piece * Piece); group < Math.Min(whole, (piece + 1) * Piece); group++)
        {
            for (int page = 0; page < Pages; page++)
            {
                StoredRows<T>.Widen(rows.Keys, rows.Key((group * Pages + page) * Page), 0, Page, scratch[thread].Stored[0]);
                for (int span = 0; span < Spans; span++)
                    Bound(scratch[thread].Stored[0] + span * PageBounds.SpanTokens * rows.Keys.Padded, rows.Keys,
                        scratch[thread].Keys[0] + page * Spans + span);
            }
            byte* steps = bounds.Steps(input.Layer, kvHead, group);
            ushort* starts = bounds.Starts(input.Layer, kvHead, group), widths = bounds.Widths(input.Layer, kvHead, group);
            for (int i = 0; i < input.KeyDim; i++)
                (starts[i], widths[i]) = Pack(scratch[thread].Keys[i], steps + i * Group);
        }
    }

    /// <summary>Of the keys of a span, the least and the greatest of each element: [element, 16 least | 16 greatest | …].</summary>
    static void Bound(float* keys, KvRows shape, float* bounds)
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
            for (int lane = 0; lane < Math.Min(ILanes<T>.Count, shape.Dim - i); lane++, bounds += AttentionInput.Tile)
                (bounds[0], bounds[Group]) = (least[lane], most[lane]);
        }
    }

    /// <summary>
    /// An element's bounds as steps of the range of all of them, rounded outwards: no bound is moved inwards, as double precision, which
    /// holds all that is added here exactly, sees it.
    /// </summary>
    static (ushort Start, ushort Width) Pack(float* bounds, byte* steps)
    {
        Half start = Below(-T.Largest(T.Broadcast(-1) * T.Load(bounds))), width = Width(start, T.Largest(T.Load(bounds + Group)));
        double from = (double)start, step = (double)width;
        for (int span = 0; span < Group; span++)
        {
            int least = Step(Math.Floor((bounds[span] - from) / step)), most = Step(Math.Ceiling((bounds[Group + span] - from) / step));
            if (from + least * step > bounds[span])
                least--;
            if (from + most * step < bounds[Group + span])
                most++;
            steps[span] = (byte)(least | most << 4);
        }
        return (BitConverter.HalfToUInt16Bits(start), BitConverter.HalfToUInt16Bits(width));
    }

    /// <summary>The width of steps that reach from a number to another.</summary>
    static Half Width(Half start, float end)
    {
        Half width = (Half)((end - (double)start) / PageBounds.LastStep);
        return (double)start + PageBounds.LastStep * (double)width < end ? Half.BitIncrement(width) : width;
    }

    static int Step(double step) => Math.Clamp((int)step, 0, PageBounds.LastStep);

    static Half Below(float number)
    {
        Half half = (Half)number;
        return (float)half > number ? Half.BitDecrement(half) : half;
    }
}
