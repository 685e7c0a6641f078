namespace Kvasir.KvCache.Retention;

/// <summary>
/// Units of a head, which are positions or segments: what it always keeps, that and what FastGen requires, and everything.
/// </summary>
record HeadLimits(int Layer, int Least, int Required, int Most)
{
    /// <summary>Of so many positions.</summary>
    public static int Units(int positions, int unit) => (positions + unit - 1) / unit;
}
