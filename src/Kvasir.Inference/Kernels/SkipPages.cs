using System.Runtime.CompilerServices;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Finds which pages a row may skip so that no query head loses more than a share ε of its attention: it looks at the keys of pages, those
/// that may weigh most first, until what all others can weigh at most is little beside what was found. Rounding counts: what is said holds
/// of exact sums over the keys as they are stored.
/// </summary>
readonly unsafe struct SkipPages<T>(PagedPortion portion, int row, int kvHead, AttentionScratch scratch, ChoiceScratch memory)
    where T : struct, ILanes<T>
{
    const int Page = PageBounds.PageTokens, PagesOfTile = AttentionInput.Tile / Page;
    const float MostPower = 100; // above it, nothing can be skipped

    readonly RowRun _run = portion.Row(row);
    readonly int _whole = portion.Input.WholePages(portion.Row(row).FirstRow);

    /// <summary>Chooses.</summary>
    /// <param name="list">The pages that are read in any case, whole ones; receives those that are read besides, ascending.</param>
    /// <param name="always">How many.</param>
    /// <param name="first">The first of the others.</param>
    /// <param name="others">How many.</param>
    /// <param name="epsilon">The share.</param>
    /// <param name="skipped">The share that was kept to: of the query head that may lose most.</param>
    /// <returns>How many are read besides.</returns>
    public int Choose(int* list, int always, int first, int others, double epsilon, out double skipped)
    {
        new StretchAttention<T, BlockRows>(portion.Input, _run, new BlockRows(portion.Input, _run, kvHead), kvHead, scratch).LoadQueries();
        int tail = _whole - portion.Input.WholeGroups(_run.FirstRow) * PageBounds.GroupPages;
        if (tail > 0)
            Attention(list + always - tail, tail).Score(tail * Page); // whose keys are widened then
        for (int head = 0; head < portion.Input.Group; head++)
            Begin(head, first, others, tail * Page);
        Look(list, always);
        Span<ulong> order = Order(first, others);
        int read = 0;
        while ((skipped = read == others ? 0 : Skipped()) > epsilon)
        {
            int more = Math.Min(others - read, Math.Max(PagesOfTile, read / 8));
            for (int i = read; i < read + more; i++)
                list[always + i] = (int)(uint)order[i];
            Look(list + always + read, more);
            read += more;
        }
        new Span<int>(list + always, read).Sort();
        return read;
    }

    /// <summary>Nothing is gathered yet; pages that are no others have nothing to lose.</summary>
    void Begin(int head, int first, int others, int widened)
    {
        memory.Heads[head] = new Gathered(float.NegativeInfinity, 0, Margin(head, widened));
        float* bounds = portion.Bounds(row, kvHead, head);
        int end = (first + others) * Page;
        new Span<float>(bounds, first * Page).Fill(float.NegativeInfinity);
        new Span<float>(bounds + end, FloatRows.PadToLanes(_whole * Page) - end).Fill(float.NegativeInfinity);
    }

    /// <summary>
    /// By how much rounding may change a weight, as a factor: scores and bounds are sums of so many roundings, each of at most 2^-24 of
    /// the sum of what is added, signs aside.
    /// </summary>
    double Margin(int head, int widened)
    {
        int dim = portion.Input.KeyDim;
        float* query = scratch.Queries[0] + head * FloatRows.PadToLanes(dim);
        PageBounds bounds = _run.Table.Pages!.Bounds;
        float most = Magnitude(query, dim, widened);
        for (int group = 0; group < portion.Input.WholeGroups(_run.FirstRow); group++)
            most = Math.Max(most, Magnitude(query, bounds.Starts(portion.Input.Layer, kvHead, group),
                bounds.Widths(portion.Input.Layer, kvHead, group), dim));
        double error = 2 * Math.Log(2) * (4 * dim + 16) * most / (1 << 24);
        return error < 0.5 ? (1 + error + error * error) * (1 + 1e-5) : double.PositiveInfinity; // e^error, and the sums of weights
    }

    /// <summary>The most that a key gives of those that are widened, signs aside.</summary>
    float Magnitude(float* query, int dim, int widened)
    {
        T most = default, minus = T.Broadcast(-1);
        for (int place = 0; place < widened; place += ILanes<T>.Count)
        {
            T sum = default;
            for (int i = 0; i < dim; i++)
            {
                T key = T.Load(scratch.Keys[i] + place);
                sum = T.MultiplyAdd(T.Broadcast(Math.Abs(query[i])), T.Max(key, key * minus), sum);
            }
            most = T.Max(sum, most);
        }
        return T.Largest(most);
    }

    /// <summary>The most that a key of a group can give with a query, and the parts of its bound, signs aside.</summary>
    static float Magnitude(float* query, ushort* starts, ushort* widths, int dim)
    {
        T sum = default, minus = T.Broadcast(-1);
        for (int i = 0; i < dim; i += ILanes<T>.Count)
        {
            T some = T.Load(query + i), start = T.LoadHalf(starts + i);
            T most = T.MultiplyAdd(T.LoadHalf(widths + i), T.Broadcast(PageBounds.Cells), T.Max(start, start * minus));
            sum = T.MultiplyAdd(T.Max(some, some * minus), most, sum);
        }
        return T.Sum(sum);
    }

    /// <summary>The others, those first that may weigh most for some query head beside what it has found.</summary>
    Span<ulong> Order(int first, int others)
    {
        Span<ulong> order = memory.Order.AsSpan(0, others);
        order.Clear();
        for (int head = 0; head < portion.Input.Group; head++)
        {
            float* bounds = portion.Bounds(row, kvHead, head) + first * Page;
            float largest = memory.Heads[head].Largest;
            for (int i = 0; i < others * Page; i++)
                order[i / Page] = Math.Max(order[i / Page], LargestRanks.Of(float.IsInfinity(largest) ? bounds[i] : bounds[i] - largest));
        }
        for (int i = 0; i < others; i++)
            order[i] = (ulong)~(uint)order[i] << 32 | (uint)(first + i);
        order.Sort();
        return order;
    }

    /// <summary>Finds what pages really weigh.</summary>
    void Look(int* pages, int count)
    {
        for (; count > 0; pages += PagesOfTile, count -= PagesOfTile)
        {
            int together = Math.Min(count, PagesOfTile);
            Attention(pages, together).Score(together * Page);
            for (int head = 0; head < portion.Input.Group; head++)
            {
                Gather(ref memory.Heads[head], scratch.Weights[head], together * Page);
                for (int i = 0; i < together; i++)
                    new Span<float>(portion.Bounds(row, kvHead, head) + pages[i] * Page, Page).Fill(float.NegativeInfinity);
            }
        }
    }

    StretchAttention<T, PagedRows> Attention(int* pages, int count) =>
        new(portion.Input, _run, new PagedRows(portion.Input, _run, kvHead, pages, count), kvHead, scratch);

    static void Gather(ref Gathered gathered, float* scores, int count)
    {
        T most = T.Load(scores);
        for (int i = ILanes<T>.Count; i < count; i += ILanes<T>.Count)
            most = T.Max(most, T.Load(scores + i));
        float largest = Math.Max(gathered.Largest, T.Largest(most));
        T total = default;
        for (int i = 0; i < count; i += ILanes<T>.Count)
            total += Exp<T>.PowerOf2(T.Load(scores + i) - T.Broadcast(largest));
        double kept = gathered.Total == 0 ? 0 : gathered.Total * T.Largest(Exp<T>.PowerOf2(T.Broadcast(gathered.Largest - largest)));
        gathered = gathered with { Largest = largest, Total = kept + T.Sum(total) };
    }

    /// <summary>The share that all pages which were not looked at have at most, of the query head for which it is most.</summary>
    double Skipped()
    {
        double most = 0;
        for (int head = 0; head < portion.Input.Group; head++)
        {
            Gathered gathered = memory.Heads[head];
            double rest = gathered.Margin * Rest(portion.Bounds(row, kvHead, head), gathered.Largest);
            double share = rest / (gathered.Total / gathered.Margin + rest);
            most = share >= most ? share : double.IsNaN(share) ? 1 : most;
        }
        return most;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    double Rest(float* bounds, float largest)
    {
        double rest = 0;
        for (int key = 0; key < _whole * Page; key += ILanes<T>.Count)
            rest += T.Sum(Exp<T>.PowerOf2(T.Min(T.Load(bounds + key) - T.Broadcast(largest), T.Broadcast(MostPower))));
        return rest;
    }
}

/// <summary>What a query head has found of pages.</summary>
/// <param name="Largest">The largest score, as a power of 2.</param>
/// <param name="Total">The weights <c>2^(score - largest)</c> in total.</param>
/// <param name="Margin">By which factor rounding may have changed a weight.</param>
readonly record struct Gathered(float Largest, double Total, double Margin);
