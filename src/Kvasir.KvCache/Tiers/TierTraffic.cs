using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Metrics;

namespace Kvasir.KvCache.Tiers;

/// <summary>What was moved between the tiers of one cache since its start.</summary>
public sealed class TierTraffic
{
    static readonly int s_tiers = Enum.GetValues<Tier>().Length;

    readonly long[] _bytes = new long[s_tiers * s_tiers], _ticks = new long[s_tiers * s_tiers];

    /// <summary>Bytes, and the time that moving them took.</summary>
    public (long Bytes, TimeSpan Time) this[Tier from, Tier to] =>
        (Volatile.Read(ref _bytes[Index(from, to)]), TimeSpan.FromTicks(Volatile.Read(ref _ticks[Index(from, to)])));

    /// <summary>All that came into a tier.</summary>
    public (long Bytes, TimeSpan Time) Into(Tier tier) => Sum(other => this[other, tier]);

    /// <summary>All that was read from a tier.</summary>
    public (long Bytes, TimeSpan Time) OutOf(Tier tier) => Sum(other => this[tier, other]);

    internal void Moved(Tier from, Tier to, long bytes, TimeSpan time)
    {
        Interlocked.Add(ref _bytes[Index(from, to)], bytes);
        Interlocked.Add(ref _ticks[Index(from, to)], time.Ticks);
        KvCacheMetrics.Transferred(from.Name(), to.Name(), bytes, time);
    }

    static (long, TimeSpan) Sum(Func<Tier, (long Bytes, TimeSpan Time)> of) =>
        Enum.GetValues<Tier>().Select(of).Aggregate((0L, TimeSpan.Zero), (sum, next) => (sum.Item1 + next.Bytes, sum.Item2 + next.Time));

    static int Index(Tier from, Tier to) => (int)from * s_tiers + (int)to;
}
