using Kvasir.Formats;
using Kvasir.KvCache.Blocks;
using Kvasir.Planning.Simulation;

namespace Kvasir.Cli.Verbs.Simulate.Reports;

/// <summary>Tiers as users type them: <c>64GiB</c>, <c>2TiB@3GiB/s</c>, <c>unlimited@1GiB/s,2ms</c>.</summary>
static class TierText
{
    /// <summary>
    /// Unless told otherwise: memory over PCIe 4.0 x16, an NVMe disk, a store behind a network of 10 Gbit/s; and
    /// the policies that serve requests.
    /// </summary>
    static readonly Dictionary<Tier, SimulatedTier> s_usual = new()
    {
        [Tier.Device] = new(Tier.Device, 16L << 30, double.PositiveInfinity, TimeSpan.Zero, "lru"),
        [Tier.Host] = new(Tier.Host, 64L << 30, 20.0 * (1L << 30), TimeSpan.FromMicroseconds(20), "hit-density"),
        [Tier.Disk] = new(Tier.Disk, 0, 3.0 * (1L << 30), TimeSpan.FromMicroseconds(200), "hit-density"),
        [Tier.Remote] = new(Tier.Remote, 0, 1.0 * (1L << 30), TimeSpan.FromMilliseconds(2), "lru"),
    };

    public static string[] Policies { get; } = ["lru", "s3-fifo", "hit-density"];

    /// <summary>Their names, as a sentence has them.</summary>
    public static string PolicyNames => $"{string.Join(", ", Policies[..^1])} or {Policies[^1]}";

    /// <summary>The tier as usual, with as much room as usual or as given.</summary>
    public static SimulatedTier Usual(Tier tier, long? bytes = null) => s_usual[tier] with { Bytes = bytes ?? s_usual[tier].Bytes };

    public static SimulatedTier Parse(Tier tier, string? text)
    {
        if (text is null)
            return Usual(tier);
        string[] halves = text.Split('@', 2);
        SimulatedTier parsed = Usual(tier, Room($"--{tier.Name()}", halves[0]));
        if (halves.Length == 1)
            return parsed;
        if (tier == Tier.Device)
            throw new UsageException($"--device {Printable.Quote(text)}: expected a size alone, since attention reads it in place");
        string[] speed = halves[1].Split(',', 2);
        if (Speed(speed[0]) is not { } perSecond)
            throw new UsageException($"--{tier.Name()} {Printable.Quote(text)}: expected a speed such as 3GiB/s behind the @");
        TimeSpan latency = parsed.Latency;
        if (speed.Length > 1 && !Duration.TryParse(speed[1], out latency))
            throw new UsageException($"--{tier.Name()} {Printable.Quote(text)}: expected a time such as 200us or 2ms behind the comma");
        return parsed with { BytesPerS = perSecond, Latency = latency };
    }

    /// <summary>Bytes a second, as in 3GiB/s; null when it is none.</summary>
    public static long? Speed(string text) =>
        text.EndsWith("/s", StringComparison.Ordinal) && ByteSize.Parse(text[..^2]) is > 0 and var perSecond ? perSecond : null;

    public static long Room(string flag, string text) =>
        text == "unlimited" ? long.MaxValue
        : ByteSize.Parse(text) is { } bytes ? bytes
        : throw new UsageException($"{flag} {Printable.Quote(text)}: expected a size such as 64GiB, or 'unlimited'");

    public static string Room(long bytes) => bytes == long.MaxValue ? "unlimited" : Exact(bytes) ?? ByteSize.Text(bytes);

    /// <summary>Whole units without decimals, since these are sizes that somebody has chosen.</summary>
    static string? Exact(long bytes) => long.TrailingZeroCount(bytes) switch
    {
        _ when bytes == 0 => "0",
        >= 40 => $"{bytes >> 40} TiB",
        >= 30 when bytes < 10_000L << 30 => $"{bytes >> 30} GiB",
        >= 20 when bytes < 10_000L << 20 => $"{bytes >> 20} MiB",
        >= 10 when bytes < 10_000L << 10 => $"{bytes >> 10} KiB",
        _ => null,
    };
}
