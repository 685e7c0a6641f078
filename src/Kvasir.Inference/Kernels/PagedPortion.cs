using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Rows that are attended to together, each on its own, and what is known of the pages that each reads: [row, KV head].
/// </summary>
/// <param name="input">The attention.</param>
/// <param name="rows">The rows, one by one.</param>
/// <param name="first">The first of them that is meant.</param>
/// <param name="count">How many.</param>
/// <param name="memory">Where it is kept.</param>
/// <param name="arePlaced">Whether pages lie where <see cref="Places"/> says, and not all in their blocks.</param>
readonly unsafe struct PagedPortion(
    AttentionInput input, List<RowRun> rows, int first, int count, PagedMemory memory, bool arePlaced)
{
    public readonly AttentionInput Input = input;
    public readonly int Count = count;

    /// <summary>A row as a run of its own.</summary>
    public RowRun Row(int row) => rows[first + row];

    /// <summary>
    /// The most that a query head's scores can be in each whole page; with a bound, of each key in it.
    /// </summary>
    public float* Bounds(int row, int kvHead, int head) => memory.Bounds[(row * Input.KvHeads + kvHead) * Input.Group + head];

    /// <summary>The pages that are read, ascending.</summary>
    public int* Pages(int row, int kvHead) => (int*)memory.Pages[row * Input.KvHeads + kvHead];

    /// <summary>How many.</summary>
    public ref int PageCount(int row, int kvHead) => ref memory.Counts[row * Input.KvHeads + kvHead];

    /// <summary>Where the keys of each page begin that is read, and where its values do; null when all are in their blocks.</summary>
    public nint* Places(int row, int kvHead) => arePlaced ? (nint*)memory.Places[row * Input.KvHeads + kvHead] : null;

    /// <summary>The share of its attention that what a row skips has at most, over the query heads.</summary>
    public ref double Skipped(int row, int kvHead) => ref memory.Skipped[row * Input.KvHeads + kvHead];

    /// <summary>What is gathered of a stretch of them: [query head of the group, running softmax].</summary>
    public float* Gathered(int row, int kvHead, int stretch, int stretches) =>
        memory.Gathered[((row * Input.KvHeads + kvHead) * stretches + stretch) * Input.Group];

    /// <summary>Chosen keys and values, as a source to attend to.</summary>
    public PagedRows Source(int row, int kvHead) =>
        new(Input, Row(row), kvHead, Pages(row, kvHead), PageCount(row, kvHead), Places(row, kvHead));
}

/// <summary>The memory of such portions: grows to the largest.</summary>
sealed class PagedMemory(int gatheredWidth) : IDisposable
{
    public FloatRows Bounds { get; private set; } = new(0, 1);
    public FloatRows Pages { get; private set; } = new(0, 1); // of integers
    public FloatRows Places { get; private set; } = new(0, 1); // of pairs of addresses
    public FloatRows Gathered { get; private set; } = new(0, gatheredWidth);
    public int[] Counts { get; private set; } = [];
    public double[] Skipped { get; private set; } = [];

    public void ReservePages(int lists, int group, int pages)
    {
        if (lists > Counts.Length)
            (Counts, Skipped) = (new int[lists], new double[lists]);
        Bounds = Grown(Bounds, lists * group, pages * PageBounds.PageTokens);
        Pages = Grown(Pages, lists, pages);
        Places = Grown(Places, lists, pages * 2 * sizeof(long) / sizeof(float));
    }

    public void ReserveGathered(int rows) => Gathered = Grown(Gathered, rows, Gathered.Width);

    public void Dispose()
    {
        foreach (FloatRows rows in (FloatRows[])[Bounds, Pages, Places, Gathered])
            rows.Dispose();
    }

    static FloatRows Grown(FloatRows rows, int count, int width)
    {
        if (count <= rows.Rows && width <= rows.Width)
            return rows;
        (count, width) = (Math.Max(count, rows.Rows), Math.Max(width, rows.Width));
        rows.Dispose();
        return new FloatRows(count, width);
    }
}
