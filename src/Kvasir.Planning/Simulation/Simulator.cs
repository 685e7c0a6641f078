using Kvasir.Planning.Traces;

namespace Kvasir.Planning.Simulation;

/// <summary>
/// Replays a trace on a fleet. Books, eviction policies and the choice between loading and computing are those that serve requests; moving
/// and computing only take time. A machine computes one prompt at a time, in the order of arrival, and answers go on beside it. What it
/// takes grows with the blocks of the requests, not with the size of the tiers.
/// </summary>
public sealed class Simulator
{
    readonly Trace _trace;
    readonly SimulationOptions _options;
    readonly Fleet _fleet;
    readonly Ledger _ledger;
    readonly Agenda _agenda;
    readonly Serving _serving;

    Simulator(Trace trace, SimulationOptions options, ReferenceCaches references, Action<TraceRequest, IReadOnlyList<int>>? observe)
    {
        (_trace, _options) = (trace, options);
        _fleet = new Fleet(options, trace.BlockTokens, MostBlocks(references, options));
        _ledger = new Ledger(trace, options);
        _agenda = new Agenda { Links = [.. new[] { _fleet.Store?.Link, _fleet.Peers }.OfType<Link>()] };
        _serving = new Serving(_fleet, _agenda, _ledger, options, trace.BlockTokens, observe);
    }

    /// <summary>Replays a trace.</summary>
    /// <param name="trace">The requests.</param>
    /// <param name="options">The fleet.</param>
    /// <param name="progress">Told the share of requests that are served, 0 to 1.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <exception cref="ArgumentException">The options make no sense.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static SimulationResult Run(Trace trace, SimulationOptions options, IProgress<double>? progress = null,
        CancellationToken cancellation = default) =>
        Run(trace, options, observe: null, progress, cancellation);

    /// <param name="trace">The requests.</param>
    /// <param name="options">The fleet.</param>
    /// <param name="observe">Told, for each request, in which tier each of its blocks was found; -1 for none.</param>
    /// <param name="progress">Told the share of requests that are served, 0 to 1.</param>
    /// <param name="cancellation">Ends it early.</param>
    internal static SimulationResult Run(Trace trace, SimulationOptions options, Action<TraceRequest, IReadOnlyList<int>>? observe,
        IProgress<double>? progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(trace);
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        var references = ReferenceCaches.Of(trace, cancellation);
        Task<double?> belady =
            Task.Run(() => options is { WantsBelady: true, Retention: null }
                ? references.Belady(options, trace.BlockTokens, cancellation) : (double?)null, cancellation);
        Simulator simulator = new(trace, options, references, observe);
        simulator.Replay(progress, cancellation);
        return simulator._ledger.Result(simulator._fleet, new References(references.Infinite, belady.GetAwaiter().GetResult()));
    }

    /// <summary>All that there can be; behind different views the same text is different blocks.</summary>
    static int MostBlocks(ReferenceCaches references, SimulationOptions options) =>
        (int)Math.Min(references.DistinctBlocks + (options.Retention is null ? 0L : 2L * references.Uses) + 1024, 1 << 30);

    void Replay(IProgress<double>? progress, CancellationToken cancellation)
    {
        Queue<Fault> faults = new(_options.Faults.OrderBy(fault => fault.At));
        for (int i = 0; i < _trace.Requests.Count; i++)
        {
            TraceRequest request = _trace.Requests[i];
            while (faults.TryPeek(out Fault? fault) && fault.At <= request.Arrival)
            {
                _agenda.HappenUntil(fault.At.TotalSeconds);
                _serving.Suffer(faults.Dequeue());
            }
            _agenda.HappenUntil(request.Arrival.TotalSeconds);
            _serving.Arrive(request, request.Arrival.TotalSeconds);
            if (i % 1024 == 0)
            {
                cancellation.ThrowIfCancellationRequested();
                progress?.Report((double)i / _trace.Requests.Count);
            }
        }
        _agenda.HappenUntil(double.PositiveInfinity);
        progress?.Report(1);
    }
}
