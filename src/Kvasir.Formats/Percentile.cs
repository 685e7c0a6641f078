namespace Kvasir.Formats;

/// <summary>
/// Percentiles of what was measured, the same way everywhere: by nearest rank, so that each is a value that was seen. That is
/// definition 1 of Hyndman and Fan, "Sample Quantiles in Statistical Packages", The American Statistician 50 (1996); the median is
/// their definition 2, the usual one.
/// </summary>
public static class Percentile
{
    /// <summary>The least value that at least so large a share of all values do not exceed.</summary>
    /// <param name="values">At least one, in any order.</param>
    /// <param name="share">Above 0, at most 1.</param>
    /// <exception cref="ArgumentException">No value, or no share.</exception>
    public static double Of(IEnumerable<double> values, double share) => OfSorted([.. values.Order()], share);

    /// <summary>The least value that at least so large a share of all values do not exceed.</summary>
    /// <param name="sorted">At least one, in ascending order.</param>
    /// <param name="share">Above 0, at most 1.</param>
    /// <exception cref="ArgumentException">No value, or no share.</exception>
    public static double OfSorted(ReadOnlySpan<double> sorted, double share)
    {
        if (!(share > 0 && share <= 1))
            throw new ArgumentOutOfRangeException(nameof(share), share, "expected a share above 0 and at most 1");
        CheckAny(sorted);
        // decimal, since in binary 0.28 of 25 is 7.000000000000001, and so the eighth
        int rank = (int)Math.Ceiling((decimal)share * sorted.Length);
        return sorted[Math.Max(rank, 1) - 1];
    }

    /// <summary>The middle value, or the mean of the middle two.</summary>
    /// <param name="values">At least one, in any order.</param>
    /// <exception cref="ArgumentException">No value.</exception>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        CheckAny(sorted);
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    static void CheckAny(ReadOnlySpan<double> values)
    {
        if (values.IsEmpty)
            throw new ArgumentException("of no values there is no percentile");
    }
}
