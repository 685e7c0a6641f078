namespace Kvasir.Serving;

/// <summary>One number of a round.</summary>
/// <param name="Key">Its name for programs.</param>
/// <param name="Label">Its name for people, with the unit.</param>
/// <param name="Value">Null if it is not known.</param>
/// <param name="Decimals">As many as mean something.</param>
sealed record Figure(string Key, string Label, double? Value, int Decimals = 0);

/// <summary>Percentiles of what was seen.</summary>
static class Percentile
{
    /// <summary>0.28 of 25 is 7, and not 7.000000000000001.</summary>
    const double Rounding = 1e-9;

    /// <summary>The least value that at least the share of all values do not exceed (nearest rank: a value that was seen); null for none.</summary>
    /// <param name="values">In any order.</param>
    /// <param name="share">Above 0, at most 1.</param>
    public static double? Of(IEnumerable<double> values, double share)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? null : sorted[Math.Max(0, (int)Math.Ceiling(share * sorted.Length - Rounding) - 1)];
    }

    /// <summary>The middle value, or the mean of the middle two; null for none.</summary>
    public static double? Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? null : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
