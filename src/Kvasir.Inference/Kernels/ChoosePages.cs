using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Chooses the pages that a row reads for the query heads of a KV head: the first ones and those up to its own in any case, and of the
/// others those whose bounds are the largest, of whichever query head. Of equal ones, those of lower positions.
/// </summary>
unsafe struct ChoosePages<T>(PagedPortion portion, AttentionScratch[] scratch, ChoiceScratch[] memory) : IComputeJob
    where T : struct, ILanes<T>
{
    public readonly void Run(int item, int thread)
    {
        (int row, int kvHead) = (item / portion.Input.KvHeads, item % portion.Input.KvHeads);
        RowRun run = portion.Row(row);
        PageReads reads = run.Table.Pages!;
        int position = portion.Input.Position(run.FirstRow), pages = position / PageBounds.PageTokens + 1;
        (int first, int last) = reads.Always(position);
        int* list = portion.Pages(row, kvHead);
        int others = pages - first - last, chosen;
        double skipped = 0;
        if (reads.Budget(position) is not { } budget)
            chosen = Skip(row, kvHead, (double)reads.Policy.Epsilon!, thread, out skipped);
        else
            chosen = Choose(row, kvHead, first, others, Math.Clamp(budget - first - last, 0, others), list + first, memory[thread]);
        Number(list, 0, first);
        Number(list + first + chosen, pages - last, last);
        (portion.PageCount(row, kvHead), portion.Skipped(row, kvHead)) = (first + chosen + last, skipped);
    }

    /// <summary>What is read in any case, and the row's own page aside, tells what the others are to be measured by.</summary>
    readonly int Skip(int row, int kvHead, double epsilon, int thread, out double skipped)
    {
        int position = portion.Input.Position(portion.Row(row).FirstRow), whole = position / PageBounds.PageTokens;
        (int first, int last) = portion.Row(row).Table.Pages!.Always(position);
        int* list = portion.Pages(row, kvHead);
        int always = first + Math.Max(0, last - 1), others = whole - always;
        Number(list, 0, first);
        Number(list + first, first + others, always - first);
        var skip = new SkipPages<T>(portion, row, kvHead, scratch[thread], memory[thread]);
        int chosen = skip.Choose(list, always, first, others, epsilon, out skipped);
        new Span<int>(list + always, chosen).CopyTo(new Span<int>(list + first, chosen));
        return chosen;
    }

    static void Number(int* list, int first, int count)
    {
        for (int i = 0; i < count; i++)
            list[i] = first + i;
    }

    readonly int Choose(int row, int kvHead, int first, int others, int wanted, int* list, ChoiceScratch own)
    {
        if (wanted == others)
        {
            Number(list, first, others);
            return others;
        }
        Span<uint> ranks = own.Ranks.AsSpan(0, others);
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
    public ulong[] Order { get; private set; } = [];
    public Gathered[] Heads { get; private set; } = [];

    public void Reserve(int pages, int heads)
    {
        if (Ranks.Length < pages)
            (Ranks, Order) = (new uint[pages], new ulong[pages]);
        if (Heads.Length < heads)
            Heads = new Gathered[heads];
    }
}
