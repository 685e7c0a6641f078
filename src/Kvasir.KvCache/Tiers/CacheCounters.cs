using Kvasir.KvCache.Blocks;

namespace Kvasir.KvCache.Tiers;

/// <summary>What a cache counts beyond the process: in the warmest tier that outlives it, if there is one.</summary>
sealed class CacheCounters(IReadOnlyList<ITier> tiers)
{
    readonly IDurableTier? _book = tiers.OfType<IDurableTier>().FirstOrDefault();

    /// <summary>Adds to a counter. Returns at once.</summary>
    public void Count(CounterName name, long by) => _book?.Count(name, by);

    /// <summary>A counter, as far as it was saved.</summary>
    public long Counted(CounterName name) => _book?.Counted(name) ?? 0;

    /// <summary>Blocks were written to a tier.</summary>
    public static void Written(ITier tier, int blocks) => (tier as IDurableTier)?.Count(CounterName.Written, blocks);

    /// <summary>Blocks were to be written to a tier and were not.</summary>
    public static void Dropped(ITier tier, int blocks) => (tier as IDurableTier)?.Count(CounterName.Dropped, blocks);

    /// <summary>A load is over.</summary>
    public void Loaded(Tier tier, long bytes, TimeSpan time)
    {
        Count(CounterName.LoadedBytes(tier), bytes);
        Count(CounterName.LoadedTime(tier), (long)time.TotalMicroseconds);
        if (bytes < TransferCosts.LeastBytes)
            return;
        Count(CounterName.LargeLoadedBytes(tier), bytes);
        Count(CounterName.LargeLoadedTime(tier), (long)time.TotalMicroseconds);
    }
}
