using Kvasir.KvCache.Prefixes;
using Kvasir.Planning.Traces;

namespace Kvasir.Planning.Simulation;

/// <summary>Which of some machines serves a request.</summary>
sealed class Placing
{
    readonly Placement _placement;
    readonly Machine[] _machines;
    readonly int _blockTokens;
    readonly Func<Machine, TraceRequest, BlockKey[], double> _estimate;
    readonly TraceSessions _sessions;
    readonly Routers? _routers;
    int _turn;

    /// <param name="options">The fleet.</param>
    /// <param name="machines">Those that can serve.</param>
    /// <param name="blockTokens">Tokens of a block.</param>
    /// <param name="estimate">Seconds that a request would take on a machine, for who knows what is where.</param>
    public Placing(SimulationOptions options, Machine[] machines, int blockTokens,
        Func<Machine, TraceRequest, BlockKey[], double> estimate)
    {
        (_placement, _machines, _blockTokens, _estimate) = (options.Placement, machines, blockTokens, estimate);
        _sessions = new TraceSessions(blockTokens);
        _routers = Routers.Know(options.Placement) ? new Routers(options, machines, blockTokens) : null;
    }

    /// <summary>Brings a request to the machine that serves it.</summary>
    public Visit Place(TraceRequest request, double now)
    {
        BlockKey[] keys = Visit.KeysOf(request.Blocks);
        Machine machine = _placement switch
        {
            _ when _machines.Length == 1 => _machines[0],
            _ when _routers is not null => _routers.Choose(request, now),
            Placement.Chain => Live((int)(Visit.Mix((ulong)request.Blocks[0]) % (ulong)_machines.Length), now),
            Placement.Session => Live(_sessions.Of(request), now),
            Placement.CacheAware => _machines.MinBy(machine => machine.IsKnownLost(now) ? double.PositiveInfinity
                : Math.Max(0, machine.BusyUntil - now) + machine.Backlog + _estimate(machine, request, keys))!,
            _ => Live(_turn++, now),
        };
        return new Visit(request, machine, keys)
        {
            Generation = machine.Generation,
            Estimate = _placement == Placement.CacheAware ? _estimate(machine, request, keys) : 0,
            Missing = _routers is null ? 0 : Math.Max(1, request.InputTokens - keys.Count(machine.HasOfItsOwn) * _blockTokens),
        };
    }

    /// <summary>A machine by its number, or if it is known to be lost, the next one that is not.</summary>
    public Machine Live(int number, double now) => Enumerable.Range(0, _machines.Length)
        .Select(next => _machines[(number + next) % _machines.Length])
        .FirstOrDefault(machine => !machine.IsKnownLost(now)) ?? _machines[number % _machines.Length];

    /// <summary>A request has been served, and its machine says so.</summary>
    public void Served(Visit visit, double now) => _routers?.Served(visit.Machine, visit.Request, visit.Keys, now);

    /// <summary>A machine is known to be lost from a time on.</summary>
    public void Lost(Machine machine, double known) => _routers?.Lost(machine, known);
}
