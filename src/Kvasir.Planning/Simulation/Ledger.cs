using Kvasir.Formats;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.Planning.Traces;

namespace Kvasir.Planning.Simulation;

/// <summary>Keeps the accounts of a simulation.</summary>
sealed class Ledger
{
    const int Slices = 60;

    readonly Trace _trace;
    readonly SimulationOptions _options;
    readonly double _sliceSeconds;
    readonly Slice[] _slices;
    readonly List<double> _ttft, _queue;
    double _prefill, _without, _restore;
    long _blocks, _tokens;

    public Ledger(Trace trace, SimulationOptions options)
    {
        (_trace, _options) = (trace, options);
        (_ttft, _queue) = (new(trace.Requests.Count), new(trace.Requests.Count));
        _sliceSeconds = Math.Max(1e-9, trace.Requests[^1].Arrival.TotalSeconds / Slices);
        _slices = [.. Enumerable.Range(0, Slices).Select(_ => new Slice(new long[options.Tiers.Length]))];
    }

    /// <summary>A request is being served.</summary>
    public void Served(Visit visit, Fleet fleet, double compute)
    {
        TraceRequest request = visit.Request;
        double arrival = request.Arrival.TotalSeconds, queue = visit.Start - arrival, restore = visit.Waited,
            ttft = queue + restore + compute;
        Slice slice = _slices[Math.Min(Slices - 1, (int)(arrival / _sliceSeconds))];
        slice.Requests++;
        slice.InputTokens += request.InputTokens;
        slice.Ttft.Add(ttft);
        slice.EvictionsAfter = fleet.Machines.Sum(machine => machine.Tiers[0].Evictions);
        Hits(visit, fleet, slice);
        _ttft.Add(ttft);
        _queue.Add(queue);
        (_blocks, _tokens) = (_blocks + request.Blocks.Length, _tokens + request.InputTokens);
        (_prefill, _restore, _without) =
            (_prefill + compute, _restore + restore, _without + _options.Prefill.Seconds(0, request.InputTokens));
        MachineAccounts machine = visit.Machine.Accounts;
        (machine.Requests, machine.InputTokens) = (machine.Requests + 1, machine.InputTokens + request.InputTokens);
        (machine.PrefillSeconds, machine.RestoreSeconds) = (machine.PrefillSeconds + compute, machine.RestoreSeconds + restore);
    }

    void Hits(Visit visit, Fleet fleet, Slice slice)
    {
        int blockTokens = _trace.BlockTokens;
        for (int block = 0; block < visit.Found.Length; block++)
        {
            if (visit.Found[block] is not (>= 0 and var found))
                continue;
            // the last token is computed in any case
            int tokens = Math.Min(blockTokens, visit.Request.InputTokens - 1 - block * blockTokens);
            Machine home = fleet.Home(visit, visit.Keys[block]);
            home.Tiers[found].Hit(tokens, home.BlockBytes);
            slice.HitTokens[found] += tokens;
            visit.Machine.Accounts.HitTokens[found] += tokens;
        }
        if (visit.Tail is (var tier, var tail, > 0 and var copied))
        {
            fleet.Home(visit, visit.Keys[tail]).Tiers[tier].HitTail(copied);
            slice.HitTokens[tier] += copied;
            visit.Machine.Accounts.HitTokens[tier] += copied;
        }
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
        References = references,
        Timeline = [.. _slices.Select((slice, i) => new TimeSlice(TimeSpan.FromSeconds(i * _sliceSeconds), slice.Requests,
            slice.InputTokens, slice.HitTokens, slice.Ttft.Count == 0 ? 0 : Percentile.Of(slice.Ttft, 0.5), EvictionsIn(i)))],
    };

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
