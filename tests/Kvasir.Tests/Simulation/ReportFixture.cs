using Kvasir.Cli.Verbs.Simulate;
using Kvasir.Cli.Verbs.Simulate.Reports;
using Kvasir.KvCache.Blocks;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;

namespace Kvasir.Tests.Simulation;

/// <summary>Results made by hand, so that every number on a page can be known.</summary>
static class ReportFixture
{
    public static Trace Trace(string name = "made") => new(name, 16,
        [new TraceRequest(TimeSpan.Zero, 600, 5, new long[38]), new TraceRequest(TimeSpan.FromSeconds(3600), 400, 5, new long[25])]);

    public static SimulationOptions Options(double price = 0) => new()
    {
        Tiers = [TierText.Usual(Tier.Device), TierText.Usual(Tier.Host)], BytesPerToken = 1024,
        Prefill = new PrefillCost(1e-3), PricePerHour = price,
        Faults = [new Fault(TimeSpan.FromSeconds(900), FaultKind.NodeLoss, null, 0)],
    };

    /// <summary>
    /// Of 1,000 tokens 300 found on the device and 200 in the host; two slices with requests and one without between them.
    /// </summary>
    public static SimulationResult Result(double prefill = 1800, double without = 3600, double restore = 60) => new()
    {
        Requests = 2, InputTokens = 1000, Blocks = 63,
        Tiers = [new TierResult(Tier.Device, 300, 19, 0, 311_296, 5, 10, 0),
            new TierResult(Tier.Host, 200, 12, 400_000, 196_608, 7, 20, 3)],
        Ttft = new Quantiles(0.5, 2, 8), Queue = new Quantiles(0, 0.25, 1),
        PrefillSeconds = prefill, PrefillSecondsWithout = without, RestoreSeconds = restore,
        MoneySaved = (without - prefill - restore) / 3600 * 4,
        Nodes = [new NodeResult(2, 1000, [300, 200], prefill, restore)],
        References = new References(0.75, 0.625),
        Timeline = [new TimeSlice(TimeSpan.Zero, 1, 600, [300, 0], 0.5, 0), new TimeSlice(TimeSpan.FromSeconds(1200), 0, 0, [0, 0], 0, 0),
            new TimeSlice(TimeSpan.FromSeconds(2400), 1, 400, [0, 200], 1, 12)],
    };

    public static SweepPoint Point(string host, double bytes, string policy, double rate) =>
        new(new Dictionary<string, string> { ["host"] = host, ["policy"] = policy },
        bytes > 0 ? new Dictionary<string, double> { ["host"] = bytes } : [], rate, rate, 0.75, 0.625, new Quantiles(1, 2, 3), 100, 0, 0.5);

    public static SweepPoint[] Sweep() => [Point("0", 0, "lru", 0.1), Point("1 GiB", 1L << 30, "lru", 0.2),
        Point("2 GiB", 1L << 31, "lru", 0.495), Point("4 GiB", 1L << 32, "lru", 0.5),
        Point("1 GiB", 1L << 30, "s3-fifo", 0.3), Point("2 GiB", 1L << 31, "s3-fifo", 0.4),
        Point("unlimited", long.MaxValue, "s3-fifo", 0.45)];
}
