using Kvasir.KvCache.Blocks;
using Kvasir.Planning.Traces;

namespace Kvasir.Planning.Simulation;

/// <summary>
/// Finds the cheapest fleet that is fast enough, by simulating splits over the tiers in steps of four times the size, each with as few
/// machines as will do: more machines never make the wait longer by much, so their number is found by halving.
/// </summary>
public sealed class FleetPlanner
{
    const int Step = 4, MostChanges = 9;
    const double MostLoad = 0.8; // beyond it, queues grow with every fluctuation
    const long SmallestHost = 16L << 30, SmallestDisk = 256L << 30, SmallestRemote = 64L << 30;

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
        Split[] splits = [.. from host in Sizes(_options.Host?.Tier, SmallestHost) from disk in Sizes(_options.Disk?.Tier, SmallestDisk)
            from remote in Sizes(_options.Remote, SmallestRemote) select new Split(host, disk, remote)];
        PlannedFleet[] tried = new PlannedFleet[splits.Length];
        int done = 0;
        Parallel.For(0, splits.Length,
            new ParallelOptions { CancellationToken = _cancellation, MaxDegreeOfParallelism = Environment.ProcessorCount }, i =>
        {
            tried[i] = Fewest(_options, splits[i]);
            _progress?.Report(0.8 * Interlocked.Increment(ref done) / splits.Length);
        });
        PlannedFleet best = tried.OrderByDescending(fleet => fleet.IsEnough)
            .ThenBy(fleet => fleet.IsEnough ? fleet.PricePerHour : fleet.Ttft).ThenBy(fleet => fleet.Ttft).First();
        return new Plan(best, [.. tried.OrderByDescending(fleet => fleet.IsEnough).ThenBy(fleet => fleet.PricePerHour)],
            tried[Array.IndexOf(splits, default(Split))], [.. Removals(best)], Sensitivity(best));
    }

    /// <summary>Room of each machine's tiers, and of the store.</summary>
    readonly record struct Split(long Host, long Disk, long Remote);

    static Split Of(PlannedFleet fleet) => new(fleet.HostBytes, fleet.DiskBytes, fleet.RemoteBytes);

    /// <summary>What each tier saves: what it would take without.</summary>
    IEnumerable<PlanVariant> Removals(PlannedFleet best)
    {
        Split split = Of(best);
        if (split.Host > 0)
            yield return new PlanVariant("without host memory", Fewest(_options, split with { Host = 0 }), IsReplanned: true);
        if (split.Disk > 0)
            yield return new PlanVariant("without disks", Fewest(_options, split with { Disk = 0 }), IsReplanned: true);
        if (split.Remote > 0)
            yield return new PlanVariant("without the store", Fewest(_options, split with { Remote = 0 }), IsReplanned: true);
    }

    List<PlanVariant> Sensitivity(PlannedFleet best)
    {
        List<PlanVariant> variants = [];
        foreach ((string change, PlanOptions options, Split split) in Changes(best).ToArray())
        {
            variants.Add(new PlanVariant(change, Try(options, best.Machines, split), IsReplanned: false));
            _progress?.Report(0.8 + 0.2 * variants.Count / MostChanges);
        }
        return variants;
    }

    IEnumerable<(string Change, PlanOptions Options, Split Split)> Changes(PlannedFleet best)
    {
        SimulationOptions machine = _options.Machine;
        PrefillCost slower = new(1.5 * machine.Prefill.SecondsPerToken, 1.5 * machine.Prefill.SecondsPerPair);
        Split split = Of(best);
        yield return ("half as much again of traffic", _options with { Trace = Compressed(_options.Trace, 1.5) }, split);
        yield return ("prefill a third slower", _options with { Machine = machine with { Prefill = slower } }, split);
        if (split.Host > 0)
            yield return ("half the host memory", _options, split with { Host = split.Host / 2 });
        if (_options.Host is { } host && split.Host < host.Tier.Bytes)
            yield return (split.Host > 0 ? "twice the host memory" : "with host memory", _options,
                split with { Host = Math.Min(host.Tier.Bytes, Math.Max(SmallestHost, 2 * split.Host)) });
        if (split.Disk > 0)
        {
            TierOffer disk = _options.Disk!;
            yield return ("half the disk", _options, split with { Disk = split.Disk / 2 });
            yield return ("disks at a quarter of their speed", _options with { Disk = disk with { Tier = Slower(disk.Tier) } }, split);
        }
        if (split.Remote > 0)
        {
            yield return ("half the store", _options, split with { Remote = split.Remote / 2 });
            yield return ("a store at a quarter of its speed", _options with
            {
                Remote = Slower(_options.Remote!),
                Machine = machine with { Store = machine.Store with { BytesPerS = machine.Store.BytesPerS / 4 } },
            }, split);
        }
        if (best.Machines > 1)
            yield return ("one machine lost half-way", _options with
            {
                Machine = machine with { Faults = [new Fault(_options.Trace.Requests[^1].Arrival / 2, FaultKind.NodeLoss, 0, 0)] },
            }, split);
    }

    static SimulatedTier Slower(SimulatedTier tier) => tier with { BytesPerS = tier.BytesPerS / 4 };

    /// <summary>None, and from the smallest on to the most that is offered or could ever be filled.</summary>
    IEnumerable<long> Sizes(SimulatedTier? offer, long smallest)
    {
        yield return 0;
        for (long bytes = smallest; offer is not null && bytes <= offer.Bytes && bytes > 0; bytes *= Step)
        {
            yield return bytes;
            if (bytes >= _workingSet)
                break;
        }
    }

    /// <summary>As few machines as are enough; if all that may be are not, so many.</summary>
    PlannedFleet Fewest(PlanOptions options, Split split)
    {
        PlannedFleet most = Try(options, 1, split);
        int tooFew = 0;
        while (!most.IsEnough && most.Machines < options.MostMachines)
        {
            tooFew = most.Machines;
            most = Try(options, Math.Min(2 * most.Machines, options.MostMachines), split);
        }
        while (most.IsEnough && most.Machines - tooFew > 1)
        {
            PlannedFleet middle = Try(options, (tooFew + most.Machines) / 2, split);
            if (middle.IsEnough)
                most = middle;
            else
                tooFew = middle.Machines;
        }
        return most;
    }

    PlannedFleet Try(PlanOptions options, int machines, Split split)
    {
        SimulationOptions simulation = options.Machine with
        {
            Nodes = machines,
            WantsBelady = false,
            Tiers = [options.Machine.Tiers[0], .. Tiers(options.Host?.Tier, split.Host), .. Tiers(options.Disk?.Tier, split.Disk),
                .. Tiers(options.Remote, split.Remote)],
            Store = split.Remote > 0 ? options.Machine.Store : new StoreOptions(),
        };
        SimulationResult result = Simulator.Run(options.Trace, simulation, progress: null, _cancellation);
        double seconds = Math.Max(1, options.Trace.Requests[^1].Arrival.TotalSeconds);
        double ttft = options.Share switch { 0.5 => result.Ttft.P50, 0.99 => result.Ttft.P99, _ => result.Ttft.P90 };
        double tiers = (options.Host?.PricePerHour(split.Host) ?? 0) + (options.Disk?.PricePerHour(split.Disk) ?? 0);
        double price = (result.Store?.Price ?? 0) / (seconds / 3600) + machines * (options.Machine.PricePerHour + tiers);
        double busy = result.PrefillSeconds + result.RestoreSeconds
            + options.Trace.Requests.Sum(request => (double)request.OutputTokens) / options.OutputTokensPerS;
        double load = busy / (machines * seconds);
        return new PlannedFleet(machines, split.Host, split.Disk, split.Remote, ttft, load, price,
            ttft <= options.TargetTtft && load <= MostLoad, result);
    }

    static IEnumerable<SimulatedTier> Tiers(SimulatedTier? offer, long bytes) =>
        offer is null || bytes == 0 ? [] : [offer with { Bytes = bytes }];

    /// <summary>The same requests in less time.</summary>
    static Trace Compressed(Trace trace, double factor) =>
        trace with { Requests = [.. trace.Requests.Select(request => request with { Arrival = request.Arrival / factor })] };
}
