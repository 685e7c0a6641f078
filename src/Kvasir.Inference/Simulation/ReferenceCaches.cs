using System.Runtime.InteropServices;
using Kvasir.Inference.Traces;

namespace Kvasir.Inference.Simulation;

/// <summary>What caches would find that cannot be built: one without bounds, and one that knows the future. Blocks are there for both from the moment that their request comes.</summary>
sealed class ReferenceCaches
{
    readonly int[] _blocks; // of all requests, in the order of arrival, numbered by first use

    ReferenceCaches(int[] blocks, int distinct) => (_blocks, DistinctBlocks) = (blocks, distinct);

    /// <summary>Different blocks of the trace, those that answers leave included.</summary>
    public int DistinctBlocks { get; private init; }

    /// <summary>Share of blocks that one without bounds finds.</summary>
    public double Infinite { get; private init; }

    public static ReferenceCaches Of(Trace trace, CancellationToken cancellation)
    {
        Dictionary<long, int> numbers = [];
        List<int> blocks = [];
        long found = 0, left = 0;
        HashSet<long> known = [];
        foreach (TraceRequest request in trace.Requests)
        {
            cancellation.ThrowIfCancellationRequested();
            foreach (long id in request.Blocks)
            {
                found += known.Contains(id) ? 1 : 0;
                blocks.Add(Number(numbers, id));
            }
            known.UnionWith(request.Left ?? request.Blocks);
            known.UnionWith(request.Blocks);
            left += request.Left?.Length ?? 0;
        }
        return new ReferenceCaches([.. blocks], numbers.Count) { DistinctBlocks = Math.Max(numbers.Count, known.Count), Infinite = (double)found / blocks.Count };
    }

    /// <summary>
    /// Share of blocks that are found when the block that is used again last, or never, goes first (Belady, "A study of replacement algorithms for a virtual-storage computer", 1966), with the
    /// room of all tiers of all machines in one. No policy finds more.
    /// </summary>
    public double Belady(SimulationOptions options, int blockTokens, CancellationToken cancellation)
    {
        double room = options.Tiers.Sum(tier => (tier.Tier == KvCache.Tiers.Tier.Remote ? 1 : options.Nodes) * (double)(tier.Bytes / (options.BytesPerToken * blockTokens)));
        return room >= DistinctBlocks ? Infinite : (double)BeladyHits((int)room, cancellation) / _blocks.Length;
    }

    long BeladyHits(int room, CancellationToken cancellation)
    {
        int[] next = NextUses();
        int[] due = new int[DistinctBlocks]; // when a resident block is used next; -1 of one that is not there
        due.AsSpan().Fill(-1);
        PriorityQueue<int, int> latest = new(); // resident blocks, and outdated entries of them, the one that is used last first
        long hits = 0;
        int resident = 0;
        for (int i = 0; i < _blocks.Length; i++)
        {
            if (i % (1 << 16) == 0)
                cancellation.ThrowIfCancellationRequested();
            int block = _blocks[i];
            if (due[block] >= 0)
                hits++;
            else
                resident++;
            due[block] = next[i];
            latest.Enqueue(block, -next[i]);
            if (resident > room)
                resident -= Evict(latest, due);
        }
        return hits;
    }

    static int Evict(PriorityQueue<int, int> latest, int[] due)
    {
        while (latest.TryDequeue(out int block, out int minusDue))
            if (due[block] == -minusDue)
            {
                due[block] = -1;
                return 1;
            }
        return 0;
    }

    int[] NextUses()
    {
        int[] next = new int[_blocks.Length], seen = new int[DistinctBlocks];
        seen.AsSpan().Fill(int.MaxValue);
        for (int i = _blocks.Length - 1; i >= 0; i--)
            (next[i], seen[_blocks[i]]) = (seen[_blocks[i]], i);
        return next;
    }

    static int Number(Dictionary<long, int> numbers, long id)
    {
        ref int number = ref CollectionsMarshal.GetValueRefOrAddDefault(numbers, id, out bool exists);
        if (!exists)
            number = numbers.Count - 1;
        return number;
    }
}
