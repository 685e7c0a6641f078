using System.Collections.Immutable;

namespace Kvasir.KvCache.Retention;

/// <summary>What a head attends to, from the cheapest to everything; each kind keeps what those before it keep.</summary>
public enum FastGenClass
{
    /// <summary>Special tokens.</summary>
    Special,

    /// <summary>And punctuation.</summary>
    Punctuation,

    /// <summary>And the positions with most attention.</summary>
    Frequent,

    /// <summary>And the last positions.</summary>
    Local,

    /// <summary>Everything.</summary>
    Full,
}

/// <summary>What FastGen found for a head.</summary>
/// <param name="Class">The cheapest kind that keeps enough.</param>
/// <param name="Required">The positions that it keeps, ascending.</param>
/// <param name="Mass">The share of attention that they have: the mean over rows, of the query head with least.</param>
public sealed record FastGenHead(FastGenClass Class, ImmutableArray<int> Required, double Mass);

/// <summary>
/// Finds what heads attend to (FastGen, Ge et al., 2023, https://arxiv.org/abs/2310.01801, with its r_l = r_f = 0.3). The paper leaves
/// open how
/// query heads share keys: here a KV head keeps what the query head with least needs.
/// </summary>
public static class FastGen
{
    const double Ratio = .3; // of the positions: of the last ones, and of those with most attention
    const int Classes = (int)FastGenClass.Full + 1;

    /// <summary>
    /// The cheapest kind that keeps a share of the attention, in the mean over rows. As while decoding, what is local or recent moves
    /// with the row.
    /// </summary>
    /// <param name="attention">Of one KV head: <c>[query head of the group][row][position]</c>, zero where a row does not see.</param>
    /// <param name="group">Query heads of the group.</param>
    /// <param name="rows">Rows of each.</param>
    /// <param name="positions">Positions of each row.</param>
    /// <param name="special">Positions of special tokens.</param>
    /// <param name="punctuation">Positions of punctuation.</param>
    /// <param name="threshold">The share, at most 1.</param>
    /// <param name="sinks">First positions that every kind keeps.</param>
    /// <param name="recent">Last positions that every kind keeps.</param>
    public static FastGenHead Classify(ReadOnlySpan<float> attention, int group, int rows, int positions, ReadOnlySpan<bool> special,
        ReadOnlySpan<bool> punctuation, double threshold, int sinks, int recent)
    {
        if (attention.Length != (long)group * rows * positions || special.Length != positions || punctuation.Length != positions)
            throw new ArgumentException($"attention of {attention.Length} numbers, masks of {special.Length} and {punctuation.Length}, "
                + $"expected {group} × {rows} × {positions}");
        var kinds = new FastGenClass[positions];
        for (int i = 0; i < positions; i++)
            kinds[i] = i < sinks || special[i] ? FastGenClass.Special : punctuation[i] ? FastGenClass.Punctuation : FastGenClass.Full;
        MarkFrequent(attention, kinds);
        Span<double> kept = stackalloc double[Classes];
        kept.Fill(1);
        for (int first = 0; first < attention.Length; first += rows * positions)
            TakeLeast(kept, attention.Slice(first, rows * positions), kinds, recent);
        FastGenClass found = FastGenClass.Special;
        while (found < FastGenClass.Full && kept[(int)found] < threshold)
            found++;
        return Head(found, kept[(int)found], kinds, recent);
    }

    /// <summary>Marks the columns with most attention by the rows that see them, beside those that are kept anyway.</summary>
    static void MarkFrequent(ReadOnlySpan<float> attention, FastGenClass[] kinds)
    {
        var sums = new double[kinds.Length];
        var seenBy = new int[kinds.Length + 1]; // of each row, the position after its last
        for (int first = 0; first < attention.Length; first += kinds.Length)
        {
            ReadOnlySpan<float> row = attention.Slice(first, kinds.Length);
            for (int i = 0; i < row.Length; i++)
                sums[i] += row[i];
            seenBy[Seen(row)]++;
        }
        for (int i = kinds.Length - 1, rows = 0; i >= 0; i--)
            sums[i] = (rows += seenBy[i + 1]) == 0 || kinds[i] != FastGenClass.Full ? 0 : -sums[i] / rows;
        int[] order = [.. Enumerable.Range(0, kinds.Length)];
        Array.Sort(order, (a, b) => sums[a] != sums[b] ? sums[a].CompareTo(sums[b]) : a - b);
        foreach (int i in order.AsSpan(0, (int)(Ratio * kinds.Length)))
            if (kinds[i] == FastGenClass.Full)
                kinds[i] = FastGenClass.Frequent;
    }

    /// <summary>Lowers what each kind keeps to what it keeps of one query head.</summary>
    static void TakeLeast(Span<double> kept, ReadOnlySpan<float> rows, FastGenClass[] kinds, int recent)
    {
        Span<double> shares = stackalloc double[Classes], row = stackalloc double[Classes];
        for (int first = 0; first < rows.Length; first += kinds.Length)
        {
            row.Clear();
            Masses(row, rows.Slice(first, kinds.Length), kinds, recent);
            double all = 0, upTo = 0;
            foreach (double mass in row)
                all += mass;
            for (int kind = 0; kind < Classes; kind++)
                shares[kind] += all > 0 ? (upTo += row[kind]) / all : 1;
        }
        for (int kind = 0; kind < Classes - 1; kind++)
            kept[kind] = Math.Min(kept[kind], shares[kind] * kinds.Length / rows.Length);
    }

    static void Masses(Span<double> masses, ReadOnlySpan<float> row, FastGenClass[] kinds, int recent)
    {
        int end = Seen(row), local = end - (int)(Ratio * kinds.Length);
        for (int i = 0; i < end; i++)
        {
            FastGenClass kind = i >= end - recent ? FastGenClass.Special
                : kinds[i] == FastGenClass.Full && i >= local ? FastGenClass.Local
                : kinds[i];
            masses[(int)kind] += row[i];
        }
    }

    /// <summary>Positions up to the last one that a row sees.</summary>
    static int Seen(ReadOnlySpan<float> row) => row.LastIndexOfAnyExcept(0f) + 1;

    static FastGenHead Head(FastGenClass found, double mass, FastGenClass[] kinds, int recent)
    {
        int local = kinds.Length - (found >= FastGenClass.Local ? Math.Max(recent, (int)(Ratio * kinds.Length)) : recent);
        var required = ImmutableArray.CreateBuilder<int>();
        for (int i = 0; i < kinds.Length; i++)
            if (kinds[i] <= found || i >= local)
                required.Add(i);
        return required.Count == kinds.Length
            ? new FastGenHead(FastGenClass.Full, required.ToImmutable(), 1)
            : new FastGenHead(found, required.ToImmutable(), mass);
    }
}
