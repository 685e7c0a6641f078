namespace Kvasir.KvCache.Retention;

/// <summary>
/// Whole numbers in proportion to weights, whose sum is exact: those with the largest remainders are rounded up, the first of equals.
/// </summary>
static class LargestRemainder
{
    /// <summary>Divides a total.</summary>
    public static long[] Split(long total, ReadOnlySpan<double> weights)
    {
        double sum = 0;
        foreach (double weight in weights)
            sum += weight;
        var exact = new double[weights.Length];
        for (int i = 0; i < exact.Length; i++)
            exact[i] = sum > 0 ? total * weights[i] / sum : (double)total / exact.Length;
        return Rounded(exact, total);
    }

    /// <summary>
    /// The same where nobody may have less or more than so much; what is cut off goes to the others. The total is between both sums.
    /// </summary>
    public static long[] Split(long total, ReadOnlySpan<double> weights, ReadOnlySpan<long> least, ReadOnlySpan<long> most)
    {
        var exact = new double[weights.Length];
        var isFixed = new bool[weights.Length];
        while (Share(total, weights, exact, isFixed))
        {
            double below = 0, above = 0;
            for (int i = 0; i < exact.Length; i++)
                (below, above) = (below + Math.Max(0, least[i] - exact[i]), above + Math.Max(0, exact[i] - most[i]));
            if (below == 0 && above == 0)
                break;
            for (int i = 0; i < exact.Length; i++) // the side on which more is wrong: the other one may come right by it
                if (!isFixed[i] && (below >= above ? exact[i] < least[i] : exact[i] > most[i]))
                    (exact[i], isFixed[i]) = (below >= above ? least[i] : most[i], true);
        }
        return Rounded(exact, total);
    }

    /// <summary>Divides what the fixed ones leave among the others; false when there are none.</summary>
    static bool Share(long total, ReadOnlySpan<double> weights, double[] exact, bool[] isFixed)
    {
        double left = total, sum = 0;
        int open = 0;
        for (int i = 0; i < exact.Length; i++)
            if (isFixed[i])
                left -= exact[i];
            else
                (sum, open) = (sum + weights[i], open + 1);
        for (int i = 0; i < exact.Length; i++)
            if (!isFixed[i])
                exact[i] = sum > 0 ? left * weights[i] / sum : left / open;
        return open > 0;
    }

    static long[] Rounded(double[] exact, long total)
    {
        var whole = new long[exact.Length];
        var order = new int[exact.Length];
        var remainders = new double[exact.Length];
        long missing = total;
        for (int i = 0; i < exact.Length; i++)
        {
            whole[i] = (long)Math.Floor(exact[i] + 1e-9); // a whole number may come out of the division a little below itself
            (order[i], remainders[i], missing) = (i, whole[i] - exact[i], missing - whole[i]);
        }
        Array.Sort(order, (a, b) => remainders[a] != remainders[b] ? remainders[a].CompareTo(remainders[b]) : a - b);
        for (int i = 0; i < missing; i++)
            whole[order[i % order.Length]]++;
        return whole;
    }
}
