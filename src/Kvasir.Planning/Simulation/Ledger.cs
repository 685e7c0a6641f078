using Kvasir.Formats;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.Planning.Traces;

namespace Kvasir.Planning.Simulation;

/// <summary>Keeps the accounts of a simulation.</summary>
sealed class Ledger
{
    const int Slices = 60;

    /// <summary>Seconds before and after a loss that are compared, at most.</summary>
    const double MostAround = 600;

    readonly Trace _trace;
    readonly SimulationOptions _options;
    readonly double _sliceSeconds;
    readonly Slice[] _slices;
    readonly List<double> _ttft, _queue;
    double _prefill, _without, _restore;
    readonly List<(double Arrival, long Tokens, long Found)> _requests = [];
    long _blocks, _tokens, _resent, _cut;

    public Ledger(Trace trace, SimulationOptions options)
    {
        (_trace, _options) = (trace, options);
        (_ttft, _queue) = (new(trace.Requests.Count), new(trace.Requests.Count));
        _sliceSeconds = Math.Max(1e-9, trace.Requests[^1].Arrival.TotalSeconds / Slices);
        _slices = [.. Enumerable.Range(0, Slices).Select(_ => new Slice(new long[options.Tiers.Length]))];
    }

    /// <summary>A request was sent again, since its machine was lost before the first token.</summary>
    public void Resent() => _resent++;

    /// <summary>A machine was lost amid an answer.</summary>
    public void Cut() => _cut++;

    /// <summary>A machine has received tokens that another one had or computed for it.</summary>
    public static void Received(Visit visit, long tokens) => visit.Machine.Accounts.PeerTokens += tokens;

    /// <summary>A machine has computed a prompt, or what others left of it.</summary>
    public void Computed(Visit visit, Fleet fleet)
    {
        MachineAccounts machine = visit.Machine.Accounts;
        (machine.Requests, machine.InputTokens) = (machine.Requests + 1, machine.InputTokens + visit.Request.InputTokens);
        (machine.PrefillSeconds, machine.RestoreSeconds) = (machine.PrefillSeconds + visit.Compute, machine.RestoreSeconds + visit.Waited);
        (_prefill, _restore) = (_prefill + visit.Compute, _restore + visit.Waited);
        SliceOf((visit.Helps ?? visit).Request).EvictionsAfter = fleet.Machines.Sum(each => each.Tiers[0].Evictions);
        Hits(visit, fleet);
    }

    /// <summary>A request has its first token.</summary>
    public void Served(Visit visit, double now)
    {
        TraceRequest request = visit.Request;
        double arrival = request.Arrival.TotalSeconds;
        Slice slice = SliceOf(request);
        slice.Requests++;
        slice.InputTokens += request.InputTokens;
        slice.Ttft.Add(now - arrival);
        _ttft.Add(now - arrival);
        _queue.Add((visit.Helper ?? visit).Start - (visit.Helper ?? visit).Request.Arrival.TotalSeconds);
        (_blocks, _tokens) = (_blocks + request.Blocks.Length, _tokens + request.InputTokens);
        _requests.Add((arrival, request.InputTokens, visit.HitTokens + (visit.Helper?.HitTokens ?? 0)));
        _without += _options.Prefill.Seconds(0, request.InputTokens);
    }

    Slice SliceOf(TraceRequest request) => _slices[Math.Min(Slices - 1, (int)(request.Arrival.TotalSeconds / _sliceSeconds))];

    void Hits(Visit visit, Fleet fleet)
    {
        int blockTokens = _trace.BlockTokens;
        for (int block = 0; block < visit.Found.Length; block++)
        {
            if (visit.Found[block] is not (>= 0 and var found))
                continue;
            // the last token is computed in any case
            int tokens = visit.Helps is null ? Math.Min(blockTokens, visit.Request.InputTokens - 1 - block * blockTokens) : blockTokens;
            visit.Machine.Accounts.HitTokens[found] += tokens;
            if (visit.Helps is { } helped && helped.Found[block] >= 0)
                continue; // who asked has it, too
            Machine home = fleet.Home(visit, visit.Keys[block]);
            home.Tiers[found].Hit(tokens, home.BlockBytes);
            Hit(visit, found, tokens);
        }
        if (visit.Tail is (var tier, var tail, > 0 and var copied))
        {
            fleet.Home(visit, visit.Keys[tail]).Tiers[tier].HitTail(copied);
            visit.Machine.Accounts.HitTokens[tier] += copied;
            Hit(visit, tier, copied);
        }
    }

    void Hit(Visit visit, int tier, int tokens)
    {
        SliceOf((visit.Helps ?? visit).Request).HitTokens[tier] += tokens;
        visit.HitTokens += tokens;
    }

    public SimulationResult Result(Fleet fleet, References references) => new()
    {
        Requests = _ttft.Count,
        InputTokens = _tokens,
        Blocks = _blocks,
        Tiers = [.. _options.Tiers.Select((tier, place) => Sum(fleet, tier.Tier, place))],
        Ttft = QuantilesOf(_ttft),
        Queue = QuantilesOf(_queue),
        PrefillSeconds = _prefill,
        PrefillSecondsWithout = _without,
        RestoreSeconds = _restore,
        MoneySaved = (_without - _prefill - _restore) / 3600 * _options.PricePerHour,
        Nodes = [.. fleet.Machines.Select(machine => machine.Accounts.Result())],
        Store = fleet.Store?.Result(_trace.Requests[^1].Arrival),
        Retention = fleet.Retaining?.Result(fleet.Machines),
        Streaming = fleet.Streaming.Result(),
        References = references,
        Losses = [.. _options.Faults.Where(fault => fault.Kind != FaultKind.SlowDisk).OrderBy(fault => fault.At).Select(Loss)],
        Resent = _resent,
        CutAnswers = _cut,
        Timeline = [.. _slices.Select((slice, i) => new TimeSlice(TimeSpan.FromSeconds(i * _sliceSeconds), slice.Requests,
            slice.InputTokens, slice.HitTokens, slice.Ttft.Count == 0 ? 0 : Percentile.Of(slice.Ttft, 0.5), EvictionsIn(i)))],
    };

    /// <summary>What was found before and after something was lost, in times of the same length.</summary>
    LossResult Loss(Fault fault)
    {
        double at = fault.At.TotalSeconds, window = Math.Min(Math.Min(at, _trace.Requests[^1].Arrival.TotalSeconds - at), MostAround);
        return new LossResult(fault.At, TimeSpan.FromSeconds(Math.Max(0, window)), Rate(at - window, at), Rate(at, at + window));
    }

    /// <summary>Share of tokens found of the requests that came in a time.</summary>
    double Rate(double from, double to)
    {
        long tokens = 0, found = 0;
        foreach ((double arrival, long ofPrompt, long ofTiers) in _requests)
            if (arrival >= from && arrival < to)
                (tokens, found) = (tokens + ofPrompt, found + ofTiers);
        return tokens == 0 ? 0 : (double)found / tokens;
    }

    long EvictionsIn(int slice) => _slices[slice].Requests == 0 ? 0 : _slices[slice].EvictionsAfter
        - _slices[..slice].Where(before => before.Requests > 0).Select(before => before.EvictionsAfter).LastOrDefault();

    static TierResult Sum(Fleet fleet, Tier tier, int place)
    {
        TierBooks[] books = [.. fleet.Machines.Select(machine => machine.Tiers[place]).Distinct()];
        long resident = 0, unreachable = 0;
        foreach ((TierBooks each, Machine machine) in books.Zip(fleet.Machines))
        {
            (long here, long lost) = Unreachable(each, fleet, machine);
            (resident, unreachable) = (resident + here, unreachable + lost);
        }
        return new TierResult(tier, books.Sum(each => each.HitTokens), books.Sum(each => each.HitBlocks),
            books.Sum(each => each.BytesWritten),
            books.Sum(each => each.BytesRead), books.Sum(each => each.Evictions), resident, unreachable);
    }

    /// <summary>Blocks of a tier, and those of them before which one is nowhere.</summary>
    static (long Resident, long Unreachable) Unreachable(TierBooks tier, Fleet fleet, Machine machine)
    {
        bool isSpread = fleet.IsSpread;
        Dictionary<BlockKey, BlockKey> parents = [];
        foreach (TierBooks each in (isSpread ? fleet.Machines : [machine]).SelectMany(one => one.Tiers))
            foreach ((BlockKey key, BlockKey parent, _, _) in each.Pool.List(int.MaxValue))
                parents[key] = parent;
        Dictionary<BlockKey, bool> reachable = new() { [default] = true };
        List<(BlockKey Key, BlockKey Parent, int[] Tokens, bool IsLeased)> blocks = [.. tier.Pool.List(int.MaxValue)];
        return (blocks.Count, blocks.Count(block => !IsReachable(block.Key, parents, reachable)));
    }

    static bool IsReachable(BlockKey key, Dictionary<BlockKey, BlockKey> parents, Dictionary<BlockKey, bool> known)
    {
        Stack<BlockKey> chain = new();
        bool isReachable;
        while (!known.TryGetValue(key, out isReachable))
        {
            if (!parents.TryGetValue(key, out BlockKey parent))
                break;
            chain.Push(key);
            key = parent;
        }
        while (chain.TryPop(out BlockKey passed))
            known[passed] = isReachable;
        return isReachable;
    }

    static Quantiles QuantilesOf(List<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0
            ? new Quantiles(0, 0, 0)
            : new Quantiles(Percentile.OfSorted(sorted, 0.5), Percentile.OfSorted(sorted, 0.9), Percentile.OfSorted(sorted, 0.99));
    }

    sealed class Slice(long[] hitTokens)
    {
        public long Requests, InputTokens, EvictionsAfter;
        public readonly long[] HitTokens = hitTokens;
        public readonly List<double> Ttft = [];
    }
}
