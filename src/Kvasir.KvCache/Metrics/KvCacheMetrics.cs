using System.Diagnostics.Metrics;

namespace Kvasir.KvCache.Metrics;

/// <summary>
/// What all caches of the process do, as the meter <c>Kvasir.KvCache</c>. Every share has its denominator beside it: hits and misses
/// are tokens, and so are lookups.
/// </summary>
public static class KvCacheMetrics
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "Kvasir.KvCache";

    static readonly Meter s_meter = new(MeterName);
    static readonly Counter<long> s_lookups = s_meter.CreateCounter<long>("kvasir.kv.lookup.tokens", "{token}",
        "Prompt tokens that were looked up");
    static readonly Counter<long> s_hits = s_meter.CreateCounter<long>("kvasir.kv.hit.tokens", "{token}", "Of those, found, by tier");
    static readonly Counter<long> s_misses = s_meter.CreateCounter<long>("kvasir.kv.miss.tokens",
        "{token}", "Of those, not used, by reason");
    static readonly Counter<long> s_bytes = s_meter.CreateCounter<long>("kvasir.kv.transfer.bytes", "By", "Bytes moved between tiers");
    static readonly Histogram<double> s_seconds = s_meter.CreateHistogram<double>("kvasir.kv.transfer.duration", "s",
        "Time that moving took");
    static readonly Counter<long> s_evictions = s_meter.CreateCounter<long>("kvasir.kv.evictions", "{block}",
        "Blocks evicted, by tier and policy");
    static readonly Counter<long> s_dropped = s_meter.CreateCounter<long>("kvasir.kv.write.dropped", "{block}",
        "Blocks that were to be written to a colder tier and were not, by tier");
    static readonly Counter<long> s_corrupt = s_meter.CreateCounter<long>("kvasir.kv.corrupt", "{block}",
        "Blocks that came damaged or not at all, by tier and outcome");
    static readonly UpDownCounter<long> s_leases = s_meter.CreateUpDownCounter<long>("kvasir.kv.leases", "{lease}", "Leases outstanding");

    internal static void LookedUp(int tokens) => s_lookups.Add(tokens);

    internal static void Hit(string tier, int tokens)
    {
        if (tokens > 0)
            s_hits.Add(tokens, new KeyValuePair<string, object?>("tier", tier));
    }

    internal static void Missed(string reason, int tokens) => s_misses.Add(tokens, new KeyValuePair<string, object?>("reason", reason));

    internal static void Transferred(string from, string to, long bytes, TimeSpan time)
    {
        KeyValuePair<string, object?> source = new("from", from), target = new("to", to);
        s_bytes.Add(bytes, source, target);
        s_seconds.Record(time.TotalSeconds, source, target);
    }

    internal static void Evicted(string tier, string policy, long blocks) =>
        s_evictions.Add(blocks, new KeyValuePair<string, object?>("tier", tier), new KeyValuePair<string, object?>("policy", policy));

    internal static void Dropped(string tier, long blocks)
    {
        if (blocks > 0)
            s_dropped.Add(blocks, new KeyValuePair<string, object?>("tier", tier));
    }

    /// <summary>A block came damaged or not at all.</summary>
    /// <param name="tier">The tier's name.</param>
    /// <param name="outcome">The outcome's name.</param>
    public static void Corrupt(string tier, string outcome) =>
        s_corrupt.Add(1, new KeyValuePair<string, object?>("tier", tier), new KeyValuePair<string, object?>("outcome", outcome));

    internal static void Leased(int change) => s_leases.Add(change);
}
