using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Routing;
using Kvasir.Planning.Traces;

namespace Kvasir.Planning.Simulation;

/// <summary>
/// The routers before the machines: the policies and maps of those that serve. Each knows at once what it has sent itself, and of
/// everything else what the machines tell, later: what they have served, and what has left them. Requests come to them by turns.
/// </summary>
sealed class Routers
{
    readonly Machine[] _machines;
    readonly int _blockTokens;
    readonly TraceSessions _sessions;
    readonly Router[] _routers;
    readonly Announced[] _announced;
    readonly (double Time, NodeLoad Load)[] _loads;
    readonly ulong[] _ids;
    readonly PriorityQueue<Action<PrefixMap>, (double Due, int Order)> _news = new();
    int _turn, _told;

    public Routers(SimulationOptions options, Machine[] machines, int blockTokens)
    {
        (_machines, _blockTokens, _sessions) = (machines, blockTokens, new TraceSessions(blockTokens));
        _routers = [.. Enumerable.Range(0, options.Routers).Select(number => new Router(options, machines.Length, number, blockTokens))];
        _announced = [.. machines.Select(machine => new Announced(machine, Options.Blocks(blockTokens)))];
        _loads = [.. machines.Select(_ => (double.NegativeInfinity, default(NodeLoad)))];
        _ids = [.. machines.Select((_, number) => RendezvousHash.Id($"machine {number}"))];
    }

    /// <summary>Whether routers know a placement.</summary>
    public static bool Know(Placement placement) => Kind(placement) is not null;

    /// <summary>The machine that one of them sends a request to.</summary>
    public Machine Choose(TraceRequest request, double now)
    {
        Hear(now);
        Router router = _routers[_turn++ % _routers.Length];
        ulong[] chain = Chain(request);
        NodeState[] nodes = [.. Candidates(router, now)];
        RoutedPrompt prompt = new(chain, request.InputTokens, _blockTokens, Visit.Mix((ulong)_sessions.Of(request)));
        int chosen = nodes[router.Policy.Choose(prompt, nodes)].Number;
        router.Send(chosen, chain, Math.Max(1, request.InputTokens - router.Prefixes.Known(chosen, chain) * (long)_blockTokens));
        return _machines[chosen];
    }

    /// <summary>A machine has served a request, and says so.</summary>
    public void Served(Machine machine, TraceRequest request, BlockKey[] keys, double now)
    {
        int number = Array.IndexOf(_machines, machine);
        ulong[] added = _announced[number].Add(Chain(request), keys);
        if (added.Length > 0)
            TellAt(now + Options.EventDelay, prefixes => prefixes.Add(number, added));
    }

    /// <summary>A machine is known to be lost from a time on.</summary>
    public void Lost(Machine machine, double known)
    {
        int number = Array.IndexOf(_machines, machine);
        if (number < 0)
            return; // behind others
        _announced[number].Clear();
        TellAt(known, prefixes => prefixes.Clear(number));
    }

    /// <summary>Everything that has come by now reaches all maps.</summary>
    void Hear(double now)
    {
        for (int number = 0; number < _machines.Length; number++)
        {
            ulong[] gone = _announced[number].Look(now);
            Array.ForEach(_routers, router => router.Prefixes.Remove(number, gone));
        }
        while (_news.TryPeek(out Action<PrefixMap>? change, out (double Due, int) news) && news.Due <= now)
        {
            Array.ForEach(_routers, router => change(router.Prefixes));
            _news.Dequeue();
        }
    }

    /// <summary>Something is known to all routers at a time.</summary>
    void TellAt(double due, Action<PrefixMap> change) => _news.Enqueue(change, (due, _told++));

    /// <summary>Those not known to be lost, with what was last heard of their load; if there is none, all.</summary>
    IEnumerable<NodeState> Candidates(Router router, double now)
    {
        bool isAnyLive = Array.Exists(_machines, machine => !machine.IsKnownLost(now));
        for (int number = 0; number < _machines.Length; number++)
        {
            if (isAnyLive && _machines[number].IsKnownLost(now))
                continue;
            if (now - _loads[number].Time >= Options.EventDelay)
                _loads[number] = (now, _machines[number].Load(now));
            yield return new NodeState(number, _ids[number], router.Load(number, _loads[number]));
        }
    }

    /// <summary>The whole blocks of a prompt, by the hashes that routers know.</summary>
    ulong[] Chain(TraceRequest request) =>
        [.. request.Blocks.Take(request.InputTokens / _blockTokens).Select(id => Visit.Mix((ulong)id))];

    static RoutingPolicyKind? Kind(Placement placement) => placement switch
    {
        Placement.Prefix => RoutingPolicyKind.Prefix,
        Placement.Affinity => RoutingPolicyKind.Affinity,
        Placement.Random => RoutingPolicyKind.Random,
        Placement.RoundRobin => RoutingPolicyKind.RoundRobin,
        _ => null,
    };

    /// <summary>One router: what it knows, and what it has sent to machines that they have not told of yet.</summary>
    sealed class Router
    {
        readonly (double Since, int Requests, long Tokens)[] _sent;

        public Router(SimulationOptions options, int machines, int number, int blockTokens)
        {
            Prefixes = new PrefixMap(Options.Blocks(blockTokens));
            Policy = RoutingPolicy.Create(Kind(options.Placement)!.Value, Prefixes, options.Seed + number);
            _sent = new (double, int, long)[machines];
        }

        public PrefixMap Prefixes { get; }

        public RoutingPolicy Policy { get; }

        /// <summary>A request goes to a machine, where so many tokens of it have to be computed.</summary>
        public void Send(int machine, ulong[] chain, long tokens)
        {
            Prefixes.Add(machine, chain);
            (double since, int requests, long before) = _sent[machine];
            _sent[machine] = (since, requests + 1, before + tokens);
        }

        /// <summary>What a machine has to do: what it told, and what came after that.</summary>
        public NodeLoad Load(int machine, (double Time, NodeLoad Load) told)
        {
            ref (double Since, int Requests, long Tokens) sent = ref _sent[machine];
            if (sent.Since < told.Time)
                sent = (told.Time, 0, 0);
            return told.Load with { Waiting = told.Load.Waiting + sent.Requests, QueuedTokens = told.Load.QueuedTokens + sent.Tokens };
        }
    }

    /// <summary>As routers and nodes have them.</summary>
    static class Options
    {
        /// <summary>Seconds until something that a machine tells is known.</summary>
        public const double EventDelay = 0.05;

        /// <summary>Hashes that a router remembers of each machine, and a machine itself.</summary>
        const int Remembered = 1 << 18;

        /// <summary>Tokens of what such a hash covers: 256 bytes of text.</summary>
        const int PieceTokens = 64;

        /// <summary>As many blocks as those cover.</summary>
        public static int Blocks(int blockTokens) => (int)Math.Max(1, (long)Remembered * PieceTokens / blockTokens);
    }
}
