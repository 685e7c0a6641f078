using System.Runtime.Intrinsics.X86;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// The most that a row's scores can be. Of a key it is known in which cell each element is, so this is
/// <c>Σ_d q_d · start_d + max(0, q_d · width_d) + Σ_d (q_d · width_d) · cell_d</c>. In the last sum, which is all the work, queries are
/// rounded to whole numbers of up to 127, for each group of pages anew, and what that can change at most is added. An item is a row, a KV
/// head and some groups.
/// </summary>
unsafe struct BoundScores<T>(PagedPortion portion, int pieces, AttentionScratch[] scratch) : IComputeJob where T : struct, ILanes<T>
{
    const int Page = PageBounds.PageTokens, Pages = PageBounds.GroupPages, Tokens = PageBounds.GroupTokens, Lane = ILanes<T>.Count;
    const int Together = 128 / Lane; // vectors of elements whose products 16 bits hold
    const float MostSteps = 127, Round = 12582912f; // 1.5 * 2^23: adding it leaves an integer in the mantissa

    /// <summary>Groups of pages of an item.</summary>
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
        bool isOfKeys = run.Table.Pages!.Policy.Epsilon is not null;
        for (int group = piece * Piece; group < end; group++)
        {
            Fetch((byte*)run.Table.Pages.Bounds.CellsOf(portion.Input.Layer, kvHead, Math.Min(group + 1, end - 1)));
            Widen(run.Table.Pages.Bounds, kvHead, group, scratch[thread].Stored);
            for (int head = 0; head < portion.Input.Group; head++)
            {
                float* query = scratch[thread].Queries[0] + head * FloatRows.PadToLanes(portion.Input.KeyDim);
                float* most = portion.Bounds(row, kvHead, head) + group * (isOfKeys ? Tokens : Pages);
                Bound(run.Table.Pages.Bounds, kvHead, group, query, scratch[thread].Stored, most, isOfKeys);
            }
        }
    }

    /// <summary>Asks for the next group's, while this one's are computed.</summary>
    readonly void Fetch(byte* bounds)
    {
        for (int line = 0; line < PageBounds.BytesOf(portion.Input.KeyDim) && Sse.IsSupported; line += 64)
            Sse.Prefetch0(bounds + line);
    }

    /// <summary>Where a group's ranges begin, and how wide their cells are, for all query heads.</summary>
    readonly void Widen(PageBounds bounds, int kvHead, int group, FloatRows memory)
    {
        ushort* starts = bounds.Starts(portion.Input.Layer, kvHead, group), widths = bounds.Widths(portion.Input.Layer, kvHead, group);
        for (int i = 0; i < portion.Input.KeyDim; i += Lane)
        {
            T.Store(T.LoadHalf(starts + i), memory[0] + i);
            T.Store(T.LoadHalf(widths + i), memory[1] + i);
        }
    }

    /// <summary>Of each key, or of each page the most of its keys.</summary>
    readonly void Bound(PageBounds bounds, int kvHead, int group, float* query, FloatRows memory, float* most, bool isOfKeys)
    {
        (float step, float rest) = Scale(query, memory[0], memory[1], memory[2]);
        float* cells = (float*)bounds.CellsOf(portion.Input.Layer, kvHead, group), steps = memory[2];
        int vectors = (portion.Input.KeyDim + Lane - 1) / Lane;
        T s0 = default, s1 = default, s2 = default, s3 = default; // of a page each
        for (int first = 0; first < vectors; first += Together)
            Add(cells + first * Tokens, (int*)steps + first * 4, Math.Min(Together, vectors - first), ref s0, ref s1, ref s2, ref s3);
        T by = T.Broadcast(step), from = T.Broadcast(rest);
        Store(T.MultiplyAdd(s0, by, from), most, 0, isOfKeys);
        Store(T.MultiplyAdd(s1, by, from), most, 1, isOfKeys);
        Store(T.MultiplyAdd(s2, by, from), most, 2, isOfKeys);
        Store(T.MultiplyAdd(s3, by, from), most, 3, isOfKeys);
    }

    static void Store(T bounds, float* most, int page, bool isOfKeys)
    {
        if (isOfKeys)
            T.Store(bounds, most + page * Page);
        else
            most[page] = T.Largest(bounds);
    }

    /// <summary>A query in steps, bytes; returns how large a step is, and the part that does not depend on cells.</summary>
    readonly (float Step, float From) Scale(float* query, float* starts, float* widths, float* steps)
    {
        T largest = default, minus = T.Broadcast(-1), zero = default;
        for (int i = 0; i < portion.Input.KeyDim; i += Lane)
        {
            T scaled = T.Load(query + i) * T.Load(widths + i);
            largest = T.Max(largest, T.Max(scaled, scaled * minus));
        }
        float most = T.Largest(largest), step = most / MostSteps;
        T perStep = T.Broadcast(most > 0 ? MostSteps / most : 0), back = T.Broadcast(-step), round = T.Broadcast(Round), rest = default;
        for (int i = 0; i < portion.Input.KeyDim; i += Lane)
        {
            T some = T.Load(query + i), scaled = some * T.Load(widths + i);
            T whole = T.MultiplyAdd(scaled, perStep, round) - round;
            T.StoreBytes(whole, (sbyte*)steps + i);
            T off = T.MultiplyAdd(back, whole, scaled);
            rest = T.MultiplyAdd(T.Max(off, off * minus), T.Broadcast(PageBounds.Cells - 1), rest) + T.Max(scaled, zero);
            rest = T.MultiplyAdd(some, T.Load(starts + i), rest);
        }
        return (step, T.Sum(rest));
    }

    /// <summary>Adds, for the keys of four pages, the products of some vectors of elements.</summary>
    static void Add(float* cells, int* steps, int vectors, ref T s0, ref T s1, ref T s2, ref T s3)
    {
        T a0 = default, a1 = default, a2 = default, a3 = default;
        for (; vectors > 0; vectors--, cells += Tokens)
        {
            T c0 = T.Load(cells), c1 = T.Load(cells + Lane), c2 = T.Load(cells + 2 * Lane), c3 = T.Load(cells + 3 * Lane);
            for (int i = 0; i < 4; i++, steps++)
            {
                T four = T.BroadcastInteger(*steps);
                (a0, c0) = (T.AddCellProducts(a0, c0, four), T.NextCells(c0));
                (a1, c1) = (T.AddCellProducts(a1, c1, four), T.NextCells(c1));
                (a2, c2) = (T.AddCellProducts(a2, c2, four), T.NextCells(c2));
                (a3, c3) = (T.AddCellProducts(a3, c3, four), T.NextCells(c3));
            }
        }
        s0 += T.ConvertToSingle(T.AddHalves(a0));
        s1 += T.ConvertToSingle(T.AddHalves(a1));
        s2 += T.ConvertToSingle(T.AddHalves(a2));
        s3 += T.ConvertToSingle(T.AddHalves(a3));
    }
}
