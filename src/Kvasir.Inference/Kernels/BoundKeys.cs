using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Finds between which bounds the keys of groups of pages lie that have become whole, from what is stored. An item is a run, a KV head and
/// some groups.
/// </summary>
unsafe struct BoundKeys<T>(AttentionInput input, StretchPart part, int pieces, AttentionScratch[] scratch) : IComputeJob
    where T : struct, ILanes<T>
{
    const int Tokens = PageBounds.GroupTokens, Lane = ILanes<T>.Count;

    /// <summary>Groups of an item.</summary>
    public const int Piece = 16;

    public readonly void Run(int item, int thread)
    {
        (int piece, item) = (item % pieces, item / pieces);
        (RowRun run, int kvHead) = (input.Runs[item / input.KvHeads], item % input.KvHeads);
        PageBounds bounds = run.Table.Pages!.Bounds;
        int whole = part.WholeGroups(input, run), first = bounds.Bounded(input.Layer, kvHead);
        var tile = new KvTile<T, BlockRows>(new BlockRows(input, run, kvHead), scratch[thread]);
        for (int group = Math.Max(first, piece * Piece); group < Math.Min(whole, (piece + 1) * Piece); group++)
        {
            tile.WidenKeys(group * Tokens, Tokens);
            uint* cells = bounds.CellsOf(input.Layer, kvHead, group);
            new Span<uint>(cells, (input.KeyDim + Lane - 1) / Lane * Tokens).Clear();
            ushort* starts = bounds.Starts(input.Layer, kvHead, group), widths = bounds.Widths(input.Layer, kvHead, group);
            for (int i = 0; i < input.KeyDim; i++)
                (starts[i], widths[i]) = Pack(scratch[thread].Keys[i], cells + i / Lane * Tokens, i % 4 * 8 + i % Lane / 4 * 2);
        }
    }

    /// <summary>
    /// An element's range, rounded outwards, and in which of its cells each key is, as double precision sees it, which holds all that is
    /// added here exactly.
    /// </summary>
    static (ushort Start, ushort Width) Pack(float* keys, uint* cells, int shift)
    {
        T least = T.Load(keys), most = least;
        for (int key = Lane; key < Tokens; key += Lane)
            (least, most) = (T.Min(least, T.Load(keys + key)), T.Max(most, T.Load(keys + key)));
        Half start = Below(-T.Largest(T.Broadcast(-1) * least)), width = Width(start, T.Largest(most));
        double from = (double)start, step = (double)width, perStep = step > 0 ? 1 / step : 0;
        for (int key = 0; key < Tokens; key++)
        {
            int cell = Math.Clamp((int)((keys[key] - from) * perStep), 0, PageBounds.Cells - 1);
            if (from + cell * step > keys[key])
                cell--;
            else if (from + (cell + 1) * step < keys[key])
                cell++;
            cells[key] |= (uint)cell << shift;
        }
        return (BitConverter.HalfToUInt16Bits(start), BitConverter.HalfToUInt16Bits(width));
    }

    /// <summary>The width of cells that reach from a number to another.</summary>
    static Half Width(Half start, float end)
    {
        Half width = (Half)((end - (double)start) / PageBounds.Cells);
        return (double)start + PageBounds.Cells * (double)width < end ? Half.BitIncrement(width) : width;
    }

    static Half Below(float number)
    {
        Half half = (Half)number;
        return (float)half > number ? Half.BitDecrement(half) : half;
    }
}
