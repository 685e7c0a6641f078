using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Chooses the pages that a row reads for the query heads of a KV head: the first ones and those up to its own in any case, and of the
/// others those whose bounds are the largest, of whichever query head. Of equal ones, those of lower positions.
/// </summary>
unsafe struct ChoosePages<T>(PagedPortion portion, ChoiceScratch[] scratch) : IComputeJob where T : struct, ILanes<T>
{
    public readonly void Run(int item, int thread)
    {
        (int row, int kvHead) = (item / portion.Input.KvHeads, item % portion.Input.KvHeads);
        RowRun run = portion.Row(row);
        PageReads reads = run.Table.Pages!;
        int position = portion.Input.Position(run.FirstRow), pages = position / PageBounds.PageTokens + 1;
        (int first, int last) = reads.Always(position);
        int* list = portion.Pages(row, kvHead);
        int count = 0, others = pages - first - last;
        for (int page = 0; page < first; page++)
            list[count++] = page;
        count += Choose(row, kvHead, first, others, Math.Clamp(reads.Budget(position) - first - last, 0, others), list + count, scratch[thread]);
        for (int page = pages - last; page < pages; page++)
            list[count++] = page;
        portion.PageCount(row, kvHead) = count;
        portion.Skipped(row, kvHead) = 0;
    }

    readonly int Choose(int row, int kvHead, int first, int others, int wanted, int* list, ChoiceScratch memory)
    {
        if (wanted == others)
        {
            for (int i = 0; i < others; i++)
                list[i] = first + i;
            return others;
        }
        Span<uint> ranks = memory.Ranks.AsSpan(0, others);
        ranks.Clear();
        for (int head = 0; head < portion.Input.Group; head++)
        {
            float* bounds = portion.Bounds(row, kvHead, head) + first;
            for (int i = 0; i < others; i++)
                ranks[i] = Math.Max(ranks[i], LargestRanks.Of(bounds[i]));
        }
        int chosen = LargestRanks.Choose(ranks, wanted, new Span<int>(list, wanted));
        for (int i = 0; i < chosen; i++)
            list[i] += first;
        return chosen;
    }
}

/// <summary>What one thread needs to choose.</summary>
sealed class ChoiceScratch
{
    public uint[] Ranks { get; private set; } = [];

    public void Reserve(int pages)
    {
        if (Ranks.Length < pages)
            Ranks = new uint[pages];
    }
}
