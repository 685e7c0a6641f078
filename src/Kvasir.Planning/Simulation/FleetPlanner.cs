using Kvasir.KvCache.Blocks;
using Kvasir.Planning.Traces;

namespace Kvasir.Planning.Simulation;

/// <summary>
/// Finds the cheapest fleet that is fast enough, by simulating splits over the tiers in steps of four times the size, each with as few
/// machines as will do: more machines never make the wait longer by much, so their number is found by halving.
/// </summary>
public sealed class FleetPlanner
{
    const int Step = 4;
    const double MostLoad = 0.8; // beyond it, queues grow with every fluctuation
    const long SmallestHost = 16L << 30, SmallestDisk = 256L << 30;

    readonly PlanOptions _options;
    readonly IProgress<double>? _progress;
    readonly CancellationToken _cancellation;
    readonly long _workingSet;

    FleetPlanner(PlanOptions options, IProgress<double>? progress, CancellationToken cancellation)
    {
        (_options, _progress, _cancellation) = (options, progress, cancellation);
        _workingSet =
            ReferenceCaches.Of(options.Trace, cancellation).DistinctBlocks * options.Machine.BytesPerToken * options.Trace.BlockTokens;
    }

    /// <summary>Plans.</summary>
    /// <param name="options">For what, and of what.</param>
    /// <param name="progress">Told the share of the work that is done, 0 to 1.</param>
    /// <param name="cancellation">Ends it early.</param>
    public static Plan Run(PlanOptions options, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new FleetPlanner(options, progress, cancellation).Run();
    }

    Plan Run()
    {
        (long Host, long Disk)[] splits =
            [.. from host in Sizes(_options.Host, SmallestHost) from disk in Sizes(_options.Disk, SmallestDisk) select (host, disk)];
        PlannedFleet[] tried = new PlannedFleet[splits.Length];
        int done = 0;
        Parallel.For(0, splits.Length,
            new ParallelOptions { CancellationToken = _cancellation, MaxDegreeOfParallelism = Environment.ProcessorCount }, i =>
        {
            tried[i] = Fewest(_options, splits[i].Host, splits[i].Disk);
            _progress?.Report(0.8 * Interlocked.Increment(ref done) / splits.Length);
        });
        PlannedFleet best = tried.OrderByDescending(fleet => fleet.IsEnough)
            .ThenBy(fleet => fleet.IsEnough ? fleet.PricePerHour : fleet.Ttft).ThenBy(fleet => fleet.Ttft).First();
        return new Plan(best, [.. tried.OrderByDescending(fleet => fleet.IsEnough).ThenBy(fleet => fleet.PricePerHour)],
            tried[Array.IndexOf(splits, (0L, 0L))], [.. Removals(best)], Sensitivity(best));
    }

    /// <summary>What each tier saves: what it would take without.</summary>
    IEnumerable<PlanVariant> Removals(PlannedFleet best)
    {
        if (best.HostBytes > 0)
            yield return new PlanVariant("without host memory", Fewest(_options, 0, best.DiskBytes), IsReplanned: true);
        if (best.DiskBytes > 0)
            yield return new PlanVariant("without disks", Fewest(_options, best.HostBytes, 0), IsReplanned: true);
    }

    List<PlanVariant> Sensitivity(PlannedFleet best)
    {
        List<PlanVariant> variants = [];
        SimulationOptions machine = _options.Machine;
        Add("half as much again of traffic", _options with { Trace = Compressed(_options.Trace, 1.5) }, best.HostBytes, best.DiskBytes);
        Add("prefill a third slower", _options with
        {
            Machine = machine with
            {
                Prefill = new PrefillCost(1.5 * machine.Prefill.SecondsPerToken, 1.5 * machine.Prefill.SecondsPerPair),
            }
        }, best.HostBytes, best.DiskBytes);
        if (best.HostBytes > 0)
            Add("half the host memory", _options, best.HostBytes / 2, best.DiskBytes);
        if (_options.Host is { } host && best.HostBytes < host.Tier.Bytes)
            Add(best.HostBytes > 0 ? "twice the host memory" : "with host memory", _options,
                Math.Min(host.Tier.Bytes, Math.Max(SmallestHost, 2 * best.HostBytes)), best.DiskBytes);
        if (best.DiskBytes > 0)
            Add("half the disk", _options, best.HostBytes, best.DiskBytes / 2);
        if (best.DiskBytes > 0)
            Add("disks at a quarter of their speed", _options with
            {
                Disk = _options.Disk! with { Tier = _options.Disk.Tier with { BytesPerS = _options.Disk.Tier.BytesPerS / 4 } },
            }, best.HostBytes, best.DiskBytes);
        if (best.Machines > 1)
            Add("one machine lost half-way", _options with
            {
                Machine = machine with { Faults = [new Fault(_options.Trace.Requests[^1].Arrival / 2, FaultKind.NodeLoss, 0, 0)] },
            }, best.HostBytes, best.DiskBytes);
        return variants;

        void Add(string change, PlanOptions options, long hostBytes, long diskBytes)
        {
            variants.Add(new PlanVariant(change, Try(options, best.Machines, hostBytes, diskBytes), IsReplanned: false));
            _progress?.Report(0.8 + 0.2 * variants.Count / 7);
        }
    }

    /// <summary>None, and from the smallest on to the most that is offered or could ever be filled.</summary>
    IEnumerable<long> Sizes(TierOffer? offer, long smallest)
    {
        yield return 0;
        for (long bytes = smallest; offer is not null && bytes <= offer.Tier.Bytes; bytes *= Step)
        {
            yield return bytes;
            if (bytes >= _workingSet)
                break;
        }
    }

    /// <summary>As few machines as are enough; if all that may be are not, so many.</summary>
    PlannedFleet Fewest(PlanOptions options, long hostBytes, long diskBytes)
    {
        PlannedFleet most = Try(options, 1, hostBytes, diskBytes);
        int tooFew = 0;
        while (!most.IsEnough && most.Machines < options.MostMachines)
        {
            tooFew = most.Machines;
            most = Try(options, Math.Min(2 * most.Machines, options.MostMachines), hostBytes, diskBytes);
        }
        while (most.IsEnough && most.Machines - tooFew > 1)
        {
            PlannedFleet middle = Try(options, (tooFew + most.Machines) / 2, hostBytes, diskBytes);
            if (middle.IsEnough)
                most = middle;
            else
                tooFew = middle.Machines;
        }
        return most;
    }

    PlannedFleet Try(PlanOptions options, int machines, long hostBytes, long diskBytes)
    {
        SimulationOptions simulation = options.Machine with
        {
            Nodes = machines,
            WantsBelady = false,
            Tiers = [options.Machine.Tiers[0],
            .. Tiers(options.Host, hostBytes), .. Tiers(options.Disk, diskBytes)]
        };
        SimulationResult result = Simulator.Run(options.Trace, simulation, progress: null, _cancellation);
        double ttft = options.Share switch { 0.5 => result.Ttft.P50, 0.99 => result.Ttft.P99, _ => result.Ttft.P90 };
        double price = machines
            * (options.Machine.PricePerHour + (options.Host?.PricePerHour(hostBytes) ?? 0) + (options.Disk?.PricePerHour(diskBytes) ?? 0));
        double busy = result.PrefillSeconds + result.RestoreSeconds
            + options.Trace.Requests.Sum(request => (double)request.OutputTokens) / options.OutputTokensPerS;
        double load = busy / (machines * Math.Max(1, options.Trace.Requests[^1].Arrival.TotalSeconds));
        return new PlannedFleet(machines, hostBytes, diskBytes, ttft, load, price, ttft <= options.TargetTtft && load <= MostLoad, result);
    }

    static IEnumerable<SimulatedTier> Tiers(TierOffer? offer, long bytes) =>
        offer is null || bytes == 0 ? [] : [offer.Tier with { Bytes = bytes }];

    /// <summary>The same requests in less time.</summary>
    static Trace Compressed(Trace trace, double factor) =>
        trace with { Requests = [.. trace.Requests.Select(request => request with { Arrival = request.Arrival / factor })] };
}
