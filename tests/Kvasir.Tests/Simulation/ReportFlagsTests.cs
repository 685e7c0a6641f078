using Kvasir.Cli.Flags;
using Kvasir.Cli.Output;
using Kvasir.Cli.Verbs.Simulate;
using Kvasir.Cli.Verbs.Simulate.Reports;
using Kvasir.KvCache.Blocks;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;
using Kvasir.Planning.Traces.Generators;

namespace Kvasir.Tests.Simulation;

/// <summary>What users type for <c>simulate</c>, and what becomes of it.</summary>
public class ReportFlagsTests
{
    [Fact]
    public void A_sweep_is_all_combinations()
    {
        var sweep = Sweep.Parse("host=1GiB..5GiB,64GiB policy=lru,s3-fifo nodes=1..4");
        Assert.Equal(["1 GiB", "2 GiB", "4 GiB", "64 GiB"], sweep.Dimensions[0].Values.Select(value => value.Text));
        string[] points = [.. sweep.Points().Select(point => string.Join(' ', point.Select(value => value.Text)))];
        Assert.Equal(4 * 2 * 3, points.Length);
        Assert.Equal(points.Length, points.Distinct().Count());
        Assert.Equal(["1 GiB lru 1", "1 GiB lru 2"], points[..2]);
    }

    [Fact]
    public void A_fleet_changes_in_what_is_swept_and_in_nothing_else()
    {
        SimulationOptions options = ReportFixture.Options();
        SimulationOptions[] fleets = [.. Sweep.Parse("disk=0,1TiB host=0,unlimited policy=lru placement=chain nodes=3").Points()
            .Select(point => point.Aggregate(options, (fleet, value) => value.Apply(fleet)))];
        Assert.Equal(["Device", "Device Host", "Device Disk", "Device Host Disk"],
            fleets.Select(fleet => string.Join(' ', fleet.Tiers.Select(tier => tier.Tier))));
        Assert.All(fleets, fleet => Assert.Equal((3, Placement.Chain, 1024), (fleet.Nodes, fleet.Placement, fleet.BytesPerToken)));
        Assert.All(fleets.SelectMany(fleet => fleet.Tiers), tier => Assert.Equal("lru", tier.Policy));
        Assert.Equal((16L << 30, long.MaxValue, 1L << 40), (fleets[3].Tiers[0].Bytes, fleets[3].Tiers[1].Bytes, fleets[3].Tiers[2].Bytes));
        Assert.Equal(TierText.Usual(Tier.Disk).BytesPerS, fleets[3].Tiers[2].BytesPerS);
    }

    [Theory]
    [InlineData("", "expected something that differs")]
    [InlineData("hots=1GiB", "--sweep 'hots=1GiB': expected NAME=VALUES with a name of device, host")]
    [InlineData("host", "--sweep 'host': expected NAME=VALUES")]
    [InlineData("host=1GiB host=2GiB", "host is there twice")]
    [InlineData("host=1GB", "--sweep host '1GB': expected a size such as 64GiB")]
    [InlineData("host=4GiB..1GiB", "--sweep host=4GiB..1GiB: expected FIRST..LAST from less to more")]
    [InlineData("host=0..1GiB", "expected FIRST..LAST from less to more, above 0")]
    [InlineData("host=1..unlimited", "expected FIRST..LAST from less to more")]
    [InlineData("device=0", "--sweep device=0: expected more")]
    [InlineData("nodes=0", "--sweep nodes=0: expected numbers from 1 to 10000")]
    [InlineData("policy=fifo", "--sweep policy=fifo: expected lru, s3-fifo or hit-density")]
    [InlineData("placement=anywhere", "--sweep placement 'anywhere': expected one of round-robin")]
    [InlineData("host=1..1TiB disk=1..1TiB", "1,681 combinations, expected at most 1,000")]
    public void Sweeps_that_make_no_sense_are_refused(string text, string expected) =>
        Assert.Contains(expected, Assert.Throws<UsageException>(() => Sweep.Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void Points_of_a_sweep_are_what_single_runs_give()
    {
        Trace trace = TraceGenerator.Generate("chat:users=20,turns=4+scan:requests=10", 16, TestContext.Current.CancellationToken);
        SimulationOptions options = ReportFixture.Options() with { Faults = [] };
        double told = 0;
        IReadOnlyList<SweepPoint> points = SweepRun.Run(trace, options, Sweep.Parse("device=1MiB,64MiB policy=lru,s3-fifo"),
            new Told(value => told = value), TestContext.Current.CancellationToken);
        Assert.Equal(["1 MiB lru", "1 MiB s3-fifo", "64 MiB lru", "64 MiB s3-fifo"],
            points.Select(point => $"{point.Values["device"]} {point.Values["policy"]}"));
        Assert.Equal(1, told, 1e-9);
        SimulationResult single = Simulator.Run(trace, options with
        {
            Tiers = [
            .. options.Tiers.Select(tier => tier with { Policy = "s3-fifo", Bytes = tier.Tier == Tier.Device ? 1 << 20 : tier.Bytes })]
        },
            cancellation: TestContext.Current.CancellationToken);
        Assert.Equal((single.TokenHitRate, single.BlockHitRate, single.Ttft),
            (points[1].TokenHitRate, points[1].BlockHitRate, points[1].TtftS));
    }

    sealed class Told(Action<double> tell) : IProgress<double>
    {
        public void Report(double value) => tell(value);
    }

    [Fact]
    public void Tiers_have_room_speed_and_latency()
    {
        Assert.Equal(TierText.Usual(Tier.Host), TierText.Parse(Tier.Host, null));
        Assert.Equal(TierText.Usual(Tier.Host) with { Bytes = 5L << 30 }, TierText.Parse(Tier.Host, "5GiB"));
        Assert.Equal(new SimulatedTier(Tier.Disk, 1L << 40, 7L << 30, TimeSpan.FromMilliseconds(1.5), "hit-density"),
            TierText.Parse(Tier.Disk, "1TiB@7GiB/s,1.5ms"));
        Assert.Equal(long.MaxValue, TierText.Parse(Tier.Remote, "unlimited@1GiB/s").Bytes);
        foreach (string wrong in (string[])["", "5GB", "5GiB@", "5GiB@1GiB", "5GiB@0/s", "5GiB@1GiB/s,", "5GiB@1GiB/s,5", "-1"])
            Assert.StartsWith("--disk '", Assert.Throws<UsageException>(() => TierText.Parse(Tier.Disk, wrong)).Message,
                StringComparison.Ordinal);
        Assert.Throws<UsageException>(() => TierText.Parse(Tier.Device, "5GiB@1GiB/s"));
    }

    [Fact]
    public void Faults_have_a_kind_a_time_and_an_amount()
    {
        Assert.Equal(new Fault(TimeSpan.FromMinutes(10), FaultKind.NodeLoss, 1, 0), FaultText.Parse("node-loss@600s:node=1"));
        Assert.Equal(new Fault(TimeSpan.FromMinutes(10), FaultKind.NodeLoss, null, 0), FaultText.Parse("node-loss@10min"));
        Assert.Equal(new Fault(TimeSpan.FromHours(1.5), FaultKind.SlowDisk, null, 8), FaultText.Parse("slow-disk@1.5h:factor=8"));
        Assert.Equal(new Fault(TimeSpan.FromSeconds(1), FaultKind.BlockLoss, 0, 0.25), FaultText.Parse("block-loss@1s:node=0,share=0.25"));
        foreach (string wrong in (string[])["", "node-loss", "node-loss@5", "fire@5s", "node-loss@5s:factor=2", "node-loss@5s:node=-1",
            "slow-disk@5s", "slow-disk@5s:factor=0", "block-loss@5s:share=1.5", "block-loss@5s:share=NaN", "node-loss@5s:"])
            Assert.StartsWith($"--fault '{wrong}': expected",
                Assert.Throws<UsageException>(() => FaultText.Parse(wrong)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Times_have_three_digits_at_most()
    {
        double[] seconds = [0, 5e-6, 0.0123, 0.9, 59.94, 119, 121, 7300, 200_000];
        Assert.Equal(["0 s", "5 µs", "12.3 ms", "900 ms", "59.9 s", "119 s", "2.02 min", "2.03 h", "2.31 days"],
            seconds.Select(Duration.Text));
    }
}
