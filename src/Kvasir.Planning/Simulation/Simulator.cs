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
    readonly PriorityQueue<(Visit Visit, bool IsEnd), (double Time, long Order)> _events = new();
    readonly Action<TraceRequest, IReadOnlyList<int>>? _observe;
    long _order;

    Simulator(Trace trace, SimulationOptions options, ReferenceCaches references, Action<TraceRequest, IReadOnlyList<int>>? observe)
    {
        (_trace, _options, _observe) = (trace, options, observe);
        _fleet = new Fleet(options, trace.BlockTokens, (int)Math.Min(references.DistinctBlocks + 1024, 1 << 30));
        _ledger = new Ledger(trace, options);
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
            Task.Run(() => options.WantsBelady ? references.Belady(options, trace.BlockTokens, cancellation) : (double?)null, cancellation);
        Simulator simulator = new(trace, options, references, observe);
        simulator.Replay(progress, cancellation);
        return simulator._ledger.Result(simulator._fleet, new References(references.Infinite, belady.GetAwaiter().GetResult()));
    }

    void Replay(IProgress<double>? progress, CancellationToken cancellation)
    {
        Queue<Fault> faults = new(_options.Faults.OrderBy(fault => fault.At));
        for (int i = 0; i < _trace.Requests.Count; i++)
        {
            TraceRequest request = _trace.Requests[i];
            while (faults.TryPeek(out Fault? fault) && fault.At <= request.Arrival)
            {
                HappenUntil(fault.At.TotalSeconds);
                _fleet.Suffer(faults.Dequeue());
            }
            HappenUntil(request.Arrival.TotalSeconds);
            Arrive(request, request.Arrival.TotalSeconds);
            if (i % 1024 == 0)
            {
                cancellation.ThrowIfCancellationRequested();
                progress?.Report((double)i / _trace.Requests.Count);
            }
        }
        HappenUntil(double.PositiveInfinity);
        progress?.Report(1);
    }

    /// <summary>Everything until a time happens.</summary>
    void HappenUntil(double time)
    {
        while (_events.TryPeek(out (Visit Visit, bool IsEnd) next, out (double Time, long) at) && at.Time <= time)
        {
            _events.Dequeue();
            if (next.IsEnd)
                _fleet.End(next.Visit);
            else
                Computed(next.Visit, at.Time);
        }
    }

    void Arrive(TraceRequest request, double now)
    {
        Visit visit = _fleet.Place(request, now);
        Machine machine = visit.Machine;
        if (_options.IsInstant)
        {
            Serve(visit, now);
            Fleet.Complete(visit, _trace.BlockTokens);
            _fleet.End(visit);
        }
        else if (machine.IsBusy)
        {
            machine.Waiting.Enqueue(visit);
            machine.Backlog += visit.Estimate;
        }
        else
            Begin(visit, now);
    }

    void Begin(Visit visit, double now)
    {
        Machine machine = visit.Machine;
        machine.BusyUntil = now + Serve(visit, now);
        machine.IsBusy = true;
        _events.Enqueue((visit, false), (machine.BusyUntil, _order++));
    }

    /// <summary>Looks a request's blocks up; returns the seconds until its first token.</summary>
    double Serve(Visit visit, double now)
    {
        (double restore, double compute) = _fleet.Begin(visit);
        _ledger.Served(visit, _fleet, now, restore, compute);
        _observe?.Invoke(visit.Request, visit.Found);
        return restore + compute;
    }

    void Computed(Visit visit, double now)
    {
        Fleet.Complete(visit, _trace.BlockTokens);
        _events.Enqueue((visit, true), (now + visit.Request.OutputTokens * _options.SecondsPerOutputToken, _order++));
        Machine machine = visit.Machine;
        machine.IsBusy = false;
        if (!machine.Waiting.TryDequeue(out Visit? next))
            return;
        machine.Backlog -= next.Estimate;
        Begin(next, now);
    }
}
