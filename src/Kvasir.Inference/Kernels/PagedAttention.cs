using Kvasir.KvCache;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Attention of rows that read only some pages (<see cref="PageReads"/>), each on its own: bounds of what has become whole, bounds of
/// scores, a choice, and then the arithmetic of <see cref="Attention{T}"/> over what was chosen. What a row reads, and its bits, follow from its
/// sequence alone.
/// </summary>
sealed class PagedAttention<T> : IDisposable where T : struct, ILanes<T>
{
    const int MostBounds = 1 << 21; // at a time: 8 MiB

    readonly ComputePool _pool;
    readonly AttentionScratch[] _scratch;
    readonly ChoiceScratch[] _choices;
    readonly PagedMemory _memory;
    readonly List<RowRun> _rows = []; // one by one

    /// <param name="pool">The threads.</param>
    /// <param name="largest">The largest layer in every respect.</param>
    public PagedAttention(ComputePool pool, AttentionSize largest)
    {
        int width = RunningSoftmax<T>.Width(largest.ValueDim);
        (_pool, _memory) = (pool, new PagedMemory(width));
        _scratch = [.. Enumerable.Range(0, pool.Threads).Select(_ => new AttentionScratch(largest, width))];
        _choices = [.. Enumerable.Range(0, pool.Threads).Select(_ => new ChoiceScratch())];
    }

    /// <summary>All runs of the input are of sequences that read so, from their first row on.</summary>
    /// <param name="input">The attention.</param>
    /// <param name="disk">Brings pages that lie on the disk; null when there are none.</param>
    /// <returns>False when some did not come.</returns>
    public bool Run(AttentionInput input, StreamedPages? disk)
    {
        BoundKeys(input, StretchPart.All);
        _rows.Clear();
        int pages = 0;
        foreach (RowRun run in input.Runs)
            for (int row = run.FirstRow; row < run.FirstRow + run.Rows; row++)
            {
                _rows.Add(new RowRun(run.Table, row, 1));
                pages = Math.Max(pages, input.WholePages(row) + 1);
            }
        foreach (ChoiceScratch scratch in _choices)
            scratch.Reserve(pages, input.Group);
        int most = disk is null ? Math.Max(1, MostBounds / (pages * PageBounds.PageTokens * input.KvHeads * input.Group)) : 1;
        bool all = true;
        for (int first = 0; first < _rows.Count && all; first += most)
            all = TryAttend(input, first, Math.Min(most, _rows.Count - first), pages, disk);
        return all;
    }

    public void Dispose()
    {
        _memory.Dispose();
        foreach (AttentionScratch scratch in _scratch)
            scratch.Dispose();
    }

    /// <summary>Of the groups of pages that have become whole in this layer, as far as a part goes.</summary>
    public void BoundKeys(AttentionInput input, StretchPart part)
    {
        int whole = 0;
        bool some = false;
        foreach (RowRun run in input.Runs)
        {
            int groups = part.WholeGroups(input, run);
            whole = Math.Max(whole, groups);
            some |= run.Table.Pages!.Bounds.Bounded(input.Layer, 0) < groups;
        }
        if (!some)
            return;
        int pieces = (whole + BoundKeys<T>.Piece - 1) / BoundKeys<T>.Piece;
        var bound = new BoundKeys<T>(input, part, pieces, _scratch);
        _pool.Run(ref bound, input.Runs.Count * input.KvHeads * pieces);
        foreach (RowRun run in input.Runs)
            for (int head = 0; head < input.KvHeads; head++)
            {
                ref int bounded = ref run.Table.Pages!.Bounds.Bounded(input.Layer, head);
                bounded = Math.Max(bounded, part.WholeGroups(input, run));
            }
    }

    bool TryAttend(AttentionInput input, int first, int count, int pages, StreamedPages? disk)
    {
        int lists = count * input.KvHeads;
        _memory.ReservePages(lists, input.Group, pages);
        PagedPortion portion = new(input, _rows, first, count, _memory, arePlaced: disk is not null);
        int pieces = pages / (PageBounds.GroupPages * BoundScores<T>.Piece) + 1;
        var bound = new BoundScores<T>(portion, pieces, _scratch);
        _pool.Run(ref bound, lists * pieces);
        var choose = new ChoosePages<T>(portion, _scratch, _choices);
        _pool.Run(ref choose, lists);
        if (disk is not null && !TryBring(portion, disk))
            return false;
        int stretches = (Note(portion) * PageBounds.PageTokens + AttentionInput.Stretch - 1) / AttentionInput.Stretch;
        _memory.ReserveGathered(lists * stretches * input.Group);
        var attend = new AttendToPages<T>(portion, stretches, _scratch);
        _pool.Run(ref attend, lists * stretches);
        var merge = new MergePages<T>(portion, stretches);
        _pool.Run(ref merge, lists);
        return true;
    }

    static unsafe bool TryBring(PagedPortion portion, StreamedPages disk)
    {
        for (int row = 0; row < portion.Count; row++)
            for (int head = 0; head < portion.Input.KvHeads; head++)
                disk.Want(portion.Row(row).Table, portion.Input.Layer, head,
                    new ReadOnlySpan<int>(portion.Pages(row, head), portion.PageCount(row, head)), portion.Places(row, head));
        return disk.TryBring(portion.Input.Layer);
    }

    /// <summary>Accounts for what was chosen; returns how many pages the row reads that reads most.</summary>
    static unsafe int Note(PagedPortion portion)
    {
        int most = 0;
        for (int row = 0; row < portion.Count; row++)
            for (int head = 0; head < portion.Input.KvHeads; head++)
            {
                PageReads reads = portion.Row(row).Table.Pages!;
                int position = portion.Input.Position(portion.Row(row).FirstRow), count = portion.PageCount(row, head);
                (int first, int last) = reads.Always(position);
                reads.Note(portion.Input.Layer, head, position / PageBounds.PageTokens + 1, first + last,
                    new ReadOnlySpan<int>(portion.Pages(row, head) + first, count - first - last), portion.Skipped(row, head));
                most = Math.Max(most, count);
            }
        return most;
    }
}

/// <summary>One row, KV head and stretch of what was chosen.</summary>
unsafe struct AttendToPages<T>(PagedPortion portion, int stretches, AttentionScratch[] scratch) : IComputeJob where T : struct, ILanes<T>
{
    public readonly void Run(int item, int thread)
    {
        (int stretch, item) = (item % stretches, item / stretches);
        (int row, int kvHead) = (item / portion.Input.KvHeads, item % portion.Input.KvHeads);
        var attention = new StretchAttention<T, PagedRows>(
            portion.Input, portion.Row(row), portion.Source(row, kvHead), kvHead, scratch[thread]);
        attention.LoadQueries();
        attention.Attend(stretch, portion.Gathered(row, kvHead, stretch, stretches), TilePart.All);
    }
}

/// <summary>One row, the query heads of one KV head: merges its stretches in ascending order.</summary>
unsafe struct MergePages<T>(PagedPortion portion, int stretches) : IComputeJob where T : struct, ILanes<T>
{
    public readonly void Run(int item, int thread)
    {
        AttentionInput input = portion.Input;
        (int row, int kvHead) = (item / input.KvHeads, item % input.KvHeads);
        int dim = input.ValueDim, width = RunningSoftmax<T>.Width(dim);
        float* whole = stackalloc float[width];
        for (int head = 0; head < input.Group; head++)
        {
            RunningSoftmax<T>.Start(whole, dim);
            for (int stretch = 0; stretch < stretches; stretch++)
                RunningSoftmax<T>.Merge(whole, portion.Gathered(row, kvHead, stretch, stretches) + head * width, dim);
            input.Finish<T>(whole, portion.Row(row).FirstRow, kvHead * input.Group + head);
        }
    }
}
