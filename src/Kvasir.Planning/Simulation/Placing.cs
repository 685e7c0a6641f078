using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Routing;
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

    /// <summary>Whether there is any that can.</summary>
    public bool HasLive(double now) => Array.Exists(_machines, machine => !machine.IsKnownLost(now));

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

    /// <summary>
    /// The machine that computes a prompt for another: of the prompt's beginning always the same, unless so much waits there that another
    /// one would have computed all of it before. Nodes choose so, who know of each other's queues only.
    /// </summary>
    public Visit Help(Visit visit, TraceRequest part, double now)
    {
        Machine[] live = Array.FindAll(_machines, machine => !machine.IsKnownLost(now));
        ulong[] ids = [.. live.Select(machine => RendezvousHash.Id($"machine {Array.IndexOf(_machines, machine)}"))];
        Machine usual = live[RendezvousHash.Highest(ids, Visit.Mix((ulong)part.Blocks[Math.Min(part.Blocks.Length - 1, 1)]))],
            idle = live.MinBy(machine => machine.Load(now).QueuedTokens)!;
        long wait = usual.Load(now).QueuedTokens - idle.Load(now).QueuedTokens;
        Machine machine = wait > visit.Awaited.Count * (long)_blockTokens ? idle : usual;
        return visit.Helper = new Visit(part, machine, visit.Keys[..part.Blocks.Length])
        {
            Generation = machine.Generation,
            Missing = visit.Awaited.Count * (long)_blockTokens,
            Helps = visit,
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
