using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers;

namespace Kvasir.Planning.Simulation;

/// <summary>What is different where a store is far away: nobody waits for it longer than the engine does.</summary>
sealed partial class Fleet
{
    /// <summary>
    /// Looks up where a request's blocks are; returns the seconds after which what the store has is known, or is no longer waited for.
    /// </summary>
    public double Ask(Visit visit, double now)
    {
        Retaining?.Arrive(visit);
        visit.Found = [.. visit.Keys.Select((key, block) => block < visit.Unread ? 0 : Home(visit, key).Find(key))];
        if (Store is null)
            return 0;
        TransferCosts costs = visit.Machine.Costs;
        int missing = MissingTokens(visit);
        if (missing == 0 || !costs.IsWorthAsking(Tier.Remote, missing))
        {
            Forget(visit);
            return 0;
        }
        Store.Ask(now);
        TimeSpan deadline = KvCacheOptions.DefaultLookupDeadline, patience = costs.PatienceToAsk(missing, deadline),
            latency = Store.Tier.Latency;
        costs.Answered(Tier.Remote, latency < deadline ? latency : deadline);
        if (latency <= patience)
        {
            visit.HasAnswer = true;
            return latency.TotalSeconds;
        }
        Store.WasTooLate();
        if (latency < deadline && !_options.StopsAtHoles)
            (visit.Late, visit.LateBy) = ([.. visit.Found], (latency - patience).TotalSeconds);
        Forget(visit);
        return patience.TotalSeconds;
    }

    /// <summary>Blocks that are to come from the store.</summary>
    public int StoreBlocks(Visit visit) => Store is null
        ? 0
        : Enumerable.Range(0, visit.Found.Length).Count(block => IsStore(visit, block))
            + (visit.Tail.Tokens > 0 && visit.Machine.Tiers[visit.Tail.Tier].Tier == Tier.Remote ? 1 : 0);

    /// <summary>
    /// The first block that is not begun yet when what is missing has been computed for so many seconds, and when it would begin.
    /// </summary>
    public (int Block, double Seconds) Reach(Visit visit, double seconds)
    {
        double done = 0;
        for (int block = 0; block < visit.Found.Length; block++)
        {
            if (visit.Found[block] >= 0)
                continue;
            if (done >= seconds)
                return (block, done);
            done += BlockSeconds(visit.Request, block, block + 1);
        }
        return (visit.Found.Length, done);
    }

    /// <summary>
    /// The store has answered after all: blocks from one on that are worth loading come from there, in place of being computed.
    /// </summary>
    public static void TakeLate(Visit visit, int from)
    {
        int store = Array.FindIndex(visit.Machine.Tiers, tier => tier.Tier == Tier.Remote);
        int[] late = [.. visit.Late.Select((tier, block) =>
            block >= from && tier == store && visit.Found[block] < 0 && !visit.IsLast(block) ? store : -1)];
        foreach ((int first, int end) in Runs(late))
            if (late[first] < 0 || !visit.Machine.Costs.LoadIsCheaper(Tier.Remote, (end - first) * visit.Machine.BlockBytes,
                visit.Machine.TokensOf(end - first)))
                late.AsSpan(first..end).Fill(-1);
        foreach ((int block, Machine home, MutableBlock own) in visit.Own.FindAll(own => late[own.Block] >= 0))
        {
            own.Dispose();
            if (home.Take(store, visit.Keys[block], visit.Parent(block)) is not { } lease)
                continue;
            visit.Leases.Add((block, lease));
            visit.Found[block] = store;
        }
        visit.Own.RemoveAll(own => late[own.Block] >= 0);
    }

    /// <summary>What was to come from the store is computed instead.</summary>
    public void GiveUp(Visit visit)
    {
        Store!.WasTooLate();
        for (int block = 0; block < visit.Found.Length; block++)
            if (IsStore(visit, block))
            {
                visit.Found[block] = -1;
                Home(visit, visit.Keys[block]).CopyToHost(visit.Keys[block], visit.Parent(block));
            }
        ForgoBehindHole(visit.Found);
        if (visit.Tail.Tokens > 0 && visit.Machine.Tiers[visit.Tail.Tier].Tier == Tier.Remote)
            visit.Tail = default;
    }

    static bool IsStore(Visit visit, int block) => visit.Found[block] >= 0 && visit.Machine.Tiers[visit.Found[block]].Tier == Tier.Remote;

    /// <summary>Tokens of whole blocks before the last token that no tier of the machine has.</summary>
    int MissingTokens(Visit visit)
    {
        int whole = (visit.Request.InputTokens - 1) / _blockTokens;
        return Enumerable.Range(0, whole).Count(block => visit.Found[block] < 0 || IsStore(visit, block)) * _blockTokens;
    }

    static void Forget(Visit visit)
    {
        for (int block = 0; block < visit.Found.Length; block++)
            if (IsStore(visit, block))
                visit.Found[block] = -1;
    }
}
