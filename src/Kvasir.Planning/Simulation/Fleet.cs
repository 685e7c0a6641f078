using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.Planning.Traces;

namespace Kvasir.Planning.Simulation;

/// <summary>The machines, which of them serves a request, and where a block has its place.</summary>
sealed partial class Fleet
{
    readonly SimulationOptions _options;
    readonly Random _random;
    readonly int _blockTokens;

    public Fleet(SimulationOptions options, int blockTokens, int mostBlocks)
    {
        (_options, _blockTokens, _random) = (options, blockTokens, new Random(options.Seed));
        Store = options.Tiers.FirstOrDefault(tier => tier.Tier == Tier.Remote) is { } shared
            ? new SharedStore(shared, options, options.BytesPerToken * blockTokens, mostBlocks)
            : null;
        Machines = [.. Enumerable.Range(0, options.Nodes + options.PrefillNodes)
            .Select(_ => new Machine(options, blockTokens, mostBlocks, Store?.Books))];
        Placing = new Placing(options, Machines[..options.Nodes], blockTokens, Estimate);
        Prefill = options.PrefillNodes > 0 ? new Helping(Machines[options.Nodes..], blockTokens) : null;
        Retaining = options.Retention is { } retention ? new Retaining(retention, options.Prefill, blockTokens) : null;
        Streaming = new Streaming(options, blockTokens);
        Peers = Prefill is null ? null : new Link(options.Peers.BytesPerS, double.PositiveInfinity);
    }

    /// <summary>The store that all machines share, if there is one.</summary>
    public SharedStore? Store { get; }

    /// <summary>All machines, those that answer first.</summary>
    public Machine[] Machines { get; }

    /// <summary>Who answers a request.</summary>
    public Placing Placing { get; }

    /// <summary>Who computes prompts for others; null where everybody computes its own.</summary>
    public Helping? Prefill { get; }

    /// <summary>How requests come to views; null where all are answered exactly.</summary>
    public Retaining? Retaining { get; }

    /// <summary>How requests are served that are longer than the device tier.</summary>
    public Streaming Streaming { get; }

    /// <summary>The way from those to who answers.</summary>
    public Link? Peers { get; }

    /// <summary>Whether a prompt's blocks lie on several machines.</summary>
    public bool IsSpread => _options.Placement == Placement.Block;

    /// <summary>The machine in whose tiers a request's block has its place.</summary>
    public Machine Home(Visit visit, BlockKey key) => IsSpread
        ? Placing.Live((int)((uint)key.GetHashCode() % (uint)_options.Nodes), visit.Start)
        : visit.Machine;

    /// <summary>
    /// Takes the blocks that are worth loading, or room for them; returns the seconds until those are there that do not come from the
    /// store.
    /// </summary>
    public double Take(Visit visit)
    {
        ForgoWhatIsDear(visit);
        ForgoBehindHole(visit.Found);
        TakeBlocks(visit);
        return RestoreSeconds(visit);
    }

    /// <summary>Seconds to compute what is missing of a prompt, once it is known what is.</summary>
    public double Compute(Visit visit)
    {
        double compute = ComputeSeconds(visit.Request, visit.Found)
            - visit.Received.Sum(block => BlockSeconds(visit.Request, block, block + 1))
            - _options.Prefill.Seconds((long)visit.Tail.Block * _blockTokens, (long)visit.Tail.Block * _blockTokens + visit.Tail.Tokens);
        compute = Streaming.Prefill(visit, compute);
        visit.Machine.Costs.Computed(ComputedTokens(visit), TimeSpan.FromSeconds(compute));
        return compute + (Retaining?.Profile(visit) ?? 0);
    }

    int ComputedTokens(Visit visit)
    {
        int tokens = visit.Found[^1] < 0 ? 0 : 1;
        for (int block = 0; block < visit.Found.Length; block++)
            if (visit.Found[block] < 0 && !visit.Received.Contains(block))
                tokens += Math.Min(_blockTokens, visit.Request.InputTokens - block * _blockTokens);
        return tokens - visit.Tail.Tokens;
    }

    /// <summary>
    /// Blocks that a machine computes and another one waits for, in chunks of what one pass computes, each with the seconds after which it
    /// is computed.
    /// </summary>
    public IEnumerable<(double After, int[] Blocks)> Chunks(Visit help)
    {
        double seconds = 0;
        List<int> chunk = [];
        for (int block = 0, tokens = 0; block < help.Found.Length; block++)
        {
            if (help.Found[block] < 0 && !help.Received.Contains(block))
            {
                seconds += BlockSeconds(help.Request, block, block + 1);
                tokens += _blockTokens;
                if (help.Helps!.Awaited.Contains(block))
                    chunk.Add(block);
            }
            if (chunk.Count == 0 || tokens < PeerOptions.ChunkTokens && block < help.Found.Length - 1)
                continue;
            yield return (seconds, [.. chunk]);
            chunk.Clear();
            tokens = 0;
        }
    }

    /// <summary>The prompt is computed: its blocks are there for all, but for one that the answer continues.</summary>
    public void Complete(Visit visit, double now)
    {
        foreach ((int block, Machine home, MutableBlock own) in visit.Own)
            if (visit.Found[block] >= 0 || !IsLeft(visit, block) || visit.Request.Left is not null
                && (block + 1L) * _blockTokens > visit.Request.InputTokens)
                own.Dispose();
            else
                visit.Leases.Add((block, home.Keep(own, visit.Keys[block], visit.Parent(block))));
        visit.Own.Clear();
        if (visit.MakesView)
            EnterView(visit, now);
    }

    /// <summary>Whether a block can be found by others: behind a view that is for one request alone, none can.</summary>
    bool IsLeft(Visit visit, int block) => visit.Prefix == 0 || block < visit.Prefix || Retaining!.IsShared;

    /// <summary>The view is made: the exact prefix has been used, and is given back.</summary>
    void EnterView(Visit visit, double now)
    {
        EndBlocks(visit, visit.Keys, 0, visit.Prefix, now);
        visit.ReleasePrefix();
        if (Retaining!.IsShared)
            visit.Machine.Views.Add(visit.View!);
    }

    /// <summary>The answer is complete: what it left is there, too, and all of it may go to the colder tiers.</summary>
    public void End(Visit visit, double now)
    {
        if (!visit.IsLost)
        {
            BlockKey[] left = visit.Request.Left is { } ids ? visit.KeysOf(ids) : visit.Keys;
            int from = visit.Prefix, whole = visit.Request.Left is null
                ? left.Length
                : Math.Min(left.Length, (int)(((long)visit.Request.InputTokens + visit.Request.OutputTokens - 1) / _blockTokens));
            bool isLeft = from == 0 || Retaining!.IsShared;
            if (isLeft)
            {
                if (visit.Request.Left is not null)
                    Leave(visit, left, from, whole);
                EndRequest(visit, left, from, whole);
                Leave(visit, left, whole, left.Length); // a tail, as the sequence goes
                EndRequest(visit, left, whole, left.Length);
            }
            if (visit.Helps is null)
                Placing.Served(visit, now);
            if (isLeft)
                Store?.Write(visit.Machine, [.. Deepest(visit, left, from, whole), .. Deepest(visit, left, whole, left.Length)], now);
        }
        visit.Release();
    }

    /// <summary>The blocks have been used, and go to the colder tiers.</summary>
    void EndBlocks(Visit visit, BlockKey[] keys, int from, int to, double now)
    {
        EndRequest(visit, keys, from, to);
        Store?.Write(visit.Machine, [.. Deepest(visit, keys, from, to)], now);
    }

    void Leave(Visit visit, BlockKey[] left, int from, int to)
    {
        for (int block = from; block < to; block++)
            if (Home(visit, left[block]) is var home && !home.Tiers[0].Pool.Contains(left[block])
                && home.TryAllocate() is { } own)
                visit.Leases.Add((block, home.Keep(own, left[block], visit.Parent(left, block))));
    }

    IEnumerable<UsedBlock> Deepest(Visit visit, BlockKey[] left, int from, int to)
    {
        for (int block = to - 1; block >= from; block--)
            yield return new UsedBlock(left[block], visit.Parent(left, block), Home(visit, left[block]));
    }

    void EndRequest(Visit visit, BlockKey[] left, int from, int to)
    {
        for (int block = to - 1; block >= from; block--)
            Home(visit, left[block]).EndRequest(left[block], visit.Parent(left, block),
                block < visit.Found.Length && visit.Found[block] >= 0);
    }

    /// <summary>Something goes wrong that loses no machine.</summary>
    public void Suffer(Fault fault)
    {
        IEnumerable<TierBooks> tiers = Affected(fault).SelectMany(machine => machine.Tiers).Distinct(); // machines share a store
        if (fault.Kind == FaultKind.SlowDisk)
            foreach (TierBooks tier in tiers.Where(tier => tier.Tier == Tier.Disk))
                tier.Slowness = fault.Amount;
        else
            foreach (TierBooks tier in tiers)
                foreach ((BlockKey key, _, _, _) in tier.Pool.List(int.MaxValue))
                    if (_random.NextDouble() < fault.Amount)
                        tier.Pool.TryDrop(key);
    }

    /// <summary>The machines that something happens to.</summary>
    public Machine[] Affected(Fault fault) => fault.Node is { } node ? [Machines[node]] : Machines;

    /// <summary>Blocks that would take longer to load than to compute count as missing, run by run, as in the engine.</summary>
    static void ForgoWhatIsDear(Visit visit)
    {
        Machine machine = visit.Machine;
        foreach ((int first, int end) in Runs(visit.Found))
            if (visit.Found[first] is > 0 and var tier && !machine.Costs.LoadIsCheaper(machine.Tiers[tier].Tier,
                (end - first) * machine.BlockBytes, machine.TokensOf(end - first)))
                visit.Found.AsSpan(first..end).Fill(-1);
    }

    /// <summary>Nothing behind a hole is used, where a cache cannot.</summary>
    void ForgoBehindHole(int[] found)
    {
        if (_options.StopsAtHoles && Array.IndexOf(found, -1) is >= 0 and var hole)
            found.AsSpan(hole).Fill(-1);
    }

    /// <summary>Takes what is found, and room for what is missing, while there is some: the rest is computed and not kept.</summary>
    void TakeBlocks(Visit visit)
    {
        bool room = true, streams = Streaming.Needs(visit);
        for (int block = visit.Unread; block < visit.Keys.Length; block++)
        {
            if (visit.MakesView && block == visit.Prefix)
                Retaining!.Reserve(visit);
            Machine home = Home(visit, visit.Keys[block]);
            if (visit.Found[block] >= 0 && room && home.Take(visit.Found[block], visit.Keys[block], visit.Parent(block)) is { } lease)
                visit.Leases.Add((block, lease));
            else if (!streams || visit.Found[block] < 0 || !IsReadInPlace(home.Tiers[visit.Found[block]].Tier))
                visit.Found[block] = -1;
            if (!room || visit.Found[block] >= 0 && !visit.IsLast(block))
                continue;
            using BlockLease? tail = visit.Request.Tail is not null && block == visit.Found.AsSpan().LastIndexOfAnyExcept(-1) + 1
                ? TakeTail(visit, home, block)
                : null;
            if (home.TryAllocate() is { } own)
                visit.Own.Add((block, home, own));
            else
                room = false;
        }
    }

    /// <summary>Whether what has no room on the device can be read where it lies.</summary>
    static bool IsReadInPlace(Tier tier) => tier is Tier.Host or Tier.Disk;

    /// <summary>A block that begins as the next one is read, and so is used, if it is somewhere.</summary>
    BlockLease? TakeTail(Visit visit, Machine home, int block)
    {
        if (visit.Request.Tail is not { } tail || visit.KeyOf(tail.Id, block) is var key && home.Find(key) is var tier
            && (tier < 0 || !visit.HasAnswer && home.Tiers[tier].Tier == Tier.Remote
                || home.Take(tier, key, visit.Parent(block)) is not { } lease))
            return null;
        visit.Tail = (tier, block, Math.Min(Math.Min(tail.Tokens, _blockTokens), visit.Request.InputTokens - 1 - block * _blockTokens));
        return lease;
    }

    double RestoreSeconds(Visit visit)
    {
        double seconds = 0;
        foreach ((int first, int end) in Runs(visit.Found))
        {
            if (visit.Found[first] is not (>= 0 and var tier))
                continue;
            long bytes = (end - first) * visit.Machine.BlockBytes;
            seconds += IsSpread ? bytes / _options.NetworkBytesPerS : 0;
            if (tier == 0 || IsStore(visit, first))
                continue;
            double load = visit.Machine.LoadSeconds(tier, end - first);
            visit.Machine.Costs.Loaded(visit.Machine.Tiers[tier].Tier, bytes, TimeSpan.FromSeconds(load));
            seconds += load;
        }
        return seconds;
    }

    double Estimate(Machine machine, TraceRequest request, BlockKey[] keys)
    {
        (int prefix, MachineView? view) = Retaining?.Road(machine, request.InputTokens, keys) ?? (0, null);
        int[] found = [.. keys.Select((key, block) => view is not null && block < prefix ? 0 : machine.Find(key))];
        ForgoBehindHole(found);
        double profile = prefix > 0 && view is null ? Retaining!.ProfileSeconds(prefix) : 0;
        return profile + ComputeSeconds(request, found) + Runs(found).Sum(run => found[run.First] > 0
            ? Math.Min(machine.LoadSeconds(found[run.First], run.End - run.First), BlockSeconds(request, run.First, run.End))
            : 0);
    }

    /// <summary>Missing blocks, and the last token in any case: its logits are wanted.</summary>
    double ComputeSeconds(TraceRequest request, int[] found)
    {
        double seconds = 0;
        foreach ((int first, int end) in Runs(found))
            if (found[first] < 0)
                seconds += BlockSeconds(request, first, end);
        return found[^1] < 0 ? seconds : seconds + _options.Prefill.Seconds(request.InputTokens - 1, request.InputTokens);
    }

    double BlockSeconds(TraceRequest request, int first, int end) =>
        _options.Prefill.Seconds((long)first * _blockTokens, Math.Min((long)end * _blockTokens, request.InputTokens));

    static IEnumerable<(int First, int End)> Runs(int[] found)
    {
        for (int first = 0, end; first < found.Length; first = end)
        {
            for (end = first + 1; end < found.Length && found[end] == found[first]; end++) { }
            yield return (first, end);
        }
    }
}
