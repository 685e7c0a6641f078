using System.Runtime.InteropServices;
using Kvasir.Planning.Traces;

namespace Kvasir.Planning.Simulation;

/// <summary>
/// What caches would find that cannot be built: one without bounds, and one that knows the future. Blocks are there for both from the
/// moment that their request comes.
/// </summary>
sealed class ReferenceCaches
{
    // blocks in the order in which requests use or leave them, numbered by first use; those that are left and not
    // asked for as their complements
    readonly int[] _uses;
    readonly long _asked;

    ReferenceCaches(int[] uses, long asked) => (_uses, _asked) = (uses, asked);

    /// <summary>Different blocks of the trace, those that answers leave included.</summary>
    public int DistinctBlocks { get; private init; }

    /// <summary>How often blocks are used or left.</summary>
    public int Uses => _uses.Length;

    /// <summary>Share of blocks that one without bounds finds.</summary>
    public double Infinite { get; private init; }

    public static ReferenceCaches Of(Trace trace, CancellationToken cancellation)
    {
        Dictionary<long, int> numbers = [];
        List<int> uses = [];
        long found = 0, asked = 0;
        foreach (TraceRequest request in trace.Requests)
        {
            cancellation.ThrowIfCancellationRequested();
            int before = numbers.Count;
            foreach (long id in request.Blocks)
            {
                uses.Add(Number(numbers, id));
                found += uses[^1] < before ? 1 : 0;
            }
            foreach (long id in request.Left.AsSpan(CommonPrefix(request)))
                uses.Add(~Number(numbers, id));
            asked += request.Blocks.Length;
        }
        return new ReferenceCaches([.. uses], asked) { DistinctBlocks = numbers.Count, Infinite = (double)found / asked };
    }

    static int CommonPrefix(TraceRequest request) => request.Left.AsSpan().CommonPrefixLength(request.Blocks);

    /// <summary>
    /// Share of blocks that are found when the block that is used again last, or never, goes first (Belady, "A study of replacement
    /// algorithms for a virtual-storage computer", 1966), with the room of all tiers of all machines in one. No policy finds more.
    /// </summary>
    public double Belady(SimulationOptions options, int blockTokens, CancellationToken cancellation)
    {
        double room = options.Tiers.Sum(tier =>
            (tier.Tier == KvCache.Blocks.Tier.Remote ? 1 : options.Nodes + options.PrefillNodes)
                * (double)(tier.Bytes / (options.BytesPerToken * blockTokens)));
        return room >= DistinctBlocks ? Infinite : (double)BeladyHits((int)room, cancellation) / _asked;
    }

    long BeladyHits(int room, CancellationToken cancellation)
    {
        int[] next = NextUses();
        int[] due = new int[DistinctBlocks]; // when a resident block is used next; -1 of one that is not there
        due.AsSpan().Fill(-1);
        PriorityQueue<int, int> latest = new(); // resident blocks, and outdated entries of them, the one that is used last first
        long hits = 0;
        int resident = 0;
        for (int i = 0; i < _uses.Length; i++)
        {
            if (i % (1 << 16) == 0)
                cancellation.ThrowIfCancellationRequested();
            int block = Math.Max(_uses[i], ~_uses[i]);
            if (due[block] < 0)
                resident++;
            else if (_uses[i] >= 0)
                hits++;
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

    /// <summary>For each use, when the block is asked for next.</summary>
    int[] NextUses()
    {
        int[] next = new int[_uses.Length], seen = new int[DistinctBlocks];
        seen.AsSpan().Fill(int.MaxValue);
        for (int i = _uses.Length - 1; i >= 0; i--)
        {
            int block = Math.Max(_uses[i], ~_uses[i]);
            next[i] = seen[block];
            if (_uses[i] >= 0)
                seen[block] = i;
        }
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
