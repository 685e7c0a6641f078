using Kvasir.KvCache.Eviction;

namespace Kvasir.Tests.KvCache.Replay;

/// <summary>Replays a trace's requests one after another: a request finds what those before it left.</summary>
static class CacheReplay
{
    public static HitCounts Run(Trace trace, IEvictionPolicy policy, int capacity)
    {
        var tier = new ReplayedTier(policy, capacity, trace);
        var counts = new HitCounts();
        foreach (int[] request in trace.Requests)
        {
            counts = counts.With(request, tier.Holds);
            Serve(tier, request);
        }
        return counts with { Written = tier.Written };
    }

    /// <summary>Every block stays.</summary>
    public static HitCounts Infinite(Trace trace)
    {
        var seen = new HashSet<int>();
        var counts = new HitCounts();
        foreach (int[] request in trace.Requests)
        {
            counts = counts.With(request, seen.Contains);
            seen.UnionWith(request);
        }
        return counts;
    }

    /// <summary>
    /// Belady's choice, which knows the future: what is used last goes, and of a chain the deepest block. A
    /// block need not be stored at all.
    /// </summary>
    public static HitCounts Belady(Trace trace, int capacity)
    {
        int[][] nextUse = NextUses(trace);
        var order = new SortedSet<(int NextUse, int Depth, int Block)>();
        var present = new Dictionary<int, (int, int, int)>();
        var counts = new HitCounts();
        for (int i = 0; i < trace.Requests.Count; i++)
        {
            int[] request = trace.Requests[i];
            counts = counts.With(request, present.ContainsKey);
            for (int depth = 0; depth < request.Length; depth++)
            {
                if (present.Remove(request[depth], out (int, int, int) old))
                    order.Remove(old);
                order.Add(present[request[depth]] = (nextUse[i][depth], depth, request[depth]));
            }
            for (; order.Count > capacity; order.Remove(order.Max))
                present.Remove(order.Max.Block);
        }
        return counts;
    }

    /// <summary>
    /// Reports one request to a tier as the cache does: what is there is used and held, what is not is added,
    /// always from the deepest block on.
    /// </summary>
    public static void Serve(ReplayedTier tier, int[] request)
    {
        int[] deepestFirst = [.. request.Reverse()];
        int[] present = [.. deepestFirst.Where(tier.Holds)], absent = [.. deepestFirst.Except(present)];
        Array.ForEach(present, tier.Use);
        Array.ForEach(present, tier.Hold);
        Array.ForEach(absent, tier.Add);
        Array.ForEach(present, tier.Release);
    }

    /// <summary>For each block of each request, the number of the next request with that block.</summary>
    static int[][] NextUses(Trace trace)
    {
        int[] next = [.. Enumerable.Repeat(int.MaxValue, trace.Blocks)];
        int[][] uses = new int[trace.Requests.Count][];
        for (int i = trace.Requests.Count - 1; i >= 0; i--)
        {
            uses[i] = [.. trace.Requests[i].Select(block => next[block])];
            foreach (int block in trace.Requests[i])
                next[block] = i;
        }
        return uses;
    }
}
