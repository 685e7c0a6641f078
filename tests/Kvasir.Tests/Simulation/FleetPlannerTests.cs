using Kvasir.KvCache.Blocks;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;
using Kvasir.Planning.Traces.Generators;
using Plan = Kvasir.Planning.Simulation.Plan;

namespace Kvasir.Tests.Simulation;

public sealed class FleetPlannerTests
{
    const long MiB = 1 << 20, GiB = 1 << 30;

    /// <summary>
    /// Three hundred conversations with pauses, of 16 tokens a block and 1 MiB a token: the device holds one or two of them.
    /// </summary>
    static PlanOptions Options(double target, double hostPrice = 0.001) => new()
    {
        Trace = TraceGenerator.Generate("chat:users=300,turns=6,think=60,over=300,system=200,question=100,answer=50", 16,
            TestContext.Current.CancellationToken),
        Machine = new SimulationOptions
        {
            Tiers = [new SimulatedTier(Tier.Device, 2 * GiB, double.PositiveInfinity, TimeSpan.Zero, "lru")],
            BytesPerToken = MiB, Prefill = new PrefillCost(1 / 700.0), PricePerHour = 2, SecondsPerOutputToken = 0.01,
        },
        Host = new TierOffer(new SimulatedTier(Tier.Host, 1024 * GiB, 20e9, TimeSpan.Zero, "s3-fifo"), hostPrice),
        TargetTtft = target,
        MostMachines = 16,
    };

    static Plan Run(PlanOptions options) => FleetPlanner.Run(options, progress: null, TestContext.Current.CancellationToken);

    /// <summary>The same for several tests, which ask different things of it.</summary>
    static readonly Lazy<Plan> s_usual = new(() => Run(Options(target: 2)));

    [Fact]
    public void Memory_that_costs_less_than_the_machines_that_it_saves_is_recommended()
    {
        Plan plan = s_usual.Value;
        Assert.True(plan.Best.IsEnough && plan.Best.Ttft <= 2);
        Assert.True(plan.Best.HostBytes > 0);
        Assert.True(plan.Best.PricePerHour < plan.WithoutTiers.PricePerHour);
        Assert.Equal((0, 0), (plan.WithoutTiers.HostBytes, plan.WithoutTiers.DiskBytes));
        Assert.Equal(plan.WithoutTiers.Machines, Assert.Single(plan.Removals).Fleet.Machines);
        Assert.All(plan.Tried.Where(fleet => fleet.IsEnough), fleet => Assert.True(fleet.PricePerHour >= plan.Best.PricePerHour));
        Assert.Equal(plan.Best.Machines * (2 + plan.Best.HostBytes / GiB * 0.001), plan.Best.PricePerHour, 9);
    }

    [Fact]
    public void Memory_that_costs_more_is_not() => Assert.Equal(0, Run(Options(target: 2, hostPrice: 100)).Best.HostBytes);

    [Fact]
    public void One_machine_less_is_too_few()
    {
        PlanOptions options = Options(target: 2);
        PlannedFleet best = s_usual.Value.Best;
        Assert.True(best.Machines > 1);
        Assert.False(Run(options with
        {
            MostMachines = best.Machines - 1,
            Host = options.Host! with { Tier = options.Host.Tier with { Bytes = best.HostBytes } },
        }).Best is { IsEnough: true } cheaper && cheaper.HostBytes == best.HostBytes);
    }

    [Fact]
    public void What_no_fleet_can_do_is_said_with_the_fastest_that_was_tried()
    {
        Plan plan = Run(Options(target: 0.001));
        Assert.False(plan.Best.IsEnough);
        Assert.Equal(plan.Tried.Min(fleet => fleet.Ttft), plan.Best.Ttft);
        Assert.Equal(16, plan.Best.Machines);
    }

    [Fact]
    public void Sensitivity_shows_more_traffic_as_no_better()
    {
        Plan plan = s_usual.Value;
        PlanVariant traffic = Assert.Single(plan.Sensitivity, variant => variant.Change.Contains("traffic", StringComparison.Ordinal));
        Assert.Equal(plan.Best.Machines, traffic.Fleet.Machines);
        Assert.True(traffic.Fleet.Ttft >= plan.Best.Ttft * 0.95);
    }

    static PlanOptions WithStore(double pricePerGiBMonth) => Options(target: 2) with
    {
        Host = null,
        Remote = new SimulatedTier(Tier.Remote, 256 * GiB, 20e9, TimeSpan.FromMilliseconds(1), "lru"),
        Machine = Options(target: 2).Machine with { Store = new StoreOptions { PricePerGiBMonth = pricePerGiBMonth } },
    };

    [Fact]
    public void A_store_that_costs_less_than_the_machines_that_it_saves_is_recommended_and_what_it_saves_is_told()
    {
        Plan plan = Run(WithStore(0.72));
        Assert.True(plan.Best.IsEnough && plan.Best.RemoteBytes > 0);
        Assert.Equal([0, 64 * GiB, 256 * GiB], plan.Tried.Select(fleet => fleet.RemoteBytes).Order());
        PlanVariant without = Assert.Single(plan.Removals);
        Assert.Equal(("without the store", 0), (without.Change, without.Fleet.RemoteBytes));
        Assert.True(without.Fleet.PricePerHour > plan.Best.PricePerHour);
        Assert.True(without.Fleet.Result.PrefillSeconds > plan.Best.Result.PrefillSeconds);
        Assert.Equal(plan.Best.Machines * 2 + plan.Best.RemoteBytes / GiB * 0.001, plan.Best.PricePerHour, 9); // 720 hours in 30 days
        Assert.Contains(plan.Sensitivity, variant => variant.Change == "half the store");
        Assert.Contains(plan.Sensitivity, variant => variant.Change == "a store at a quarter of its speed");
    }

    [Fact]
    public void A_store_that_costs_more_is_not() => Assert.Equal(0, Run(WithStore(1000)).Best.RemoteBytes);
}
