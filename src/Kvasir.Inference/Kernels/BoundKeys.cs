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
            float* cells = (float*)bounds.CellsOf(input.Layer, kvHead, group);
            ushort* starts = bounds.Starts(input.Layer, kvHead, group), widths = bounds.Widths(input.Layer, kvHead, group);
            for (int i = 0; i < input.KeyDim; i += Lane, cells += Tokens)
                Pack(scratch[thread].Keys[i], Math.Min(Lane, input.KeyDim - i), cells, starts + i, widths + i);
        }
    }

    /// <summary>
    /// The ranges of up to sixteen elements, rounded outwards, and in which of its cells each key is: how many of the borders between them
    /// it reaches. Borders are rounded, as if keys were a rounding less exact.
    /// </summary>
    static void Pack(float* keys, int count, float* cells, ushort* starts, ushort* widths)
    {
        T c0 = default, c1 = default, c2 = default, c3 = default; // of a page each
        for (int i = 0; i < count; i++, keys += AttentionInput.Tile)
        {
            T k0 = T.Load(keys), k1 = T.Load(keys + Lane), k2 = T.Load(keys + 2 * Lane), k3 = T.Load(keys + 3 * Lane);
            Half start = Below(-T.Largest(T.Broadcast(-1) * T.Min(T.Min(k0, k1), T.Min(k2, k3))));
            Half width = Width(start, T.Largest(T.Max(T.Max(k0, k1), T.Max(k2, k3))));
            (starts[i], widths[i]) = (BitConverter.HalfToUInt16Bits(start), BitConverter.HalfToUInt16Bits(width));
            T first = Border(start, width, 1), second = Border(start, width, 2), third = Border(start, width, 3);
            int shift = i % 4 * 8 + i / 4 * 2;
            c0 = T.AddBits(c0, T.AtLeast(k0, first) + T.AtLeast(k0, second) + T.AtLeast(k0, third), shift);
            c1 = T.AddBits(c1, T.AtLeast(k1, first) + T.AtLeast(k1, second) + T.AtLeast(k1, third), shift);
            c2 = T.AddBits(c2, T.AtLeast(k2, first) + T.AtLeast(k2, second) + T.AtLeast(k2, third), shift);
            c3 = T.AddBits(c3, T.AtLeast(k3, first) + T.AtLeast(k3, second) + T.AtLeast(k3, third), shift);
        }
        T.Store(c0, cells);
        T.Store(c1, cells + Lane);
        T.Store(c2, cells + 2 * Lane);
        T.Store(c3, cells + 3 * Lane);
    }

    static T Border(Half start, Half width, int cells) => T.Broadcast((float)((double)start + cells * (double)width));

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
