using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Eviction;
using Kvasir.KvCache.Prefixes;
using Kvasir.Planning.Traces;
using Stopwatch = System.Diagnostics.Stopwatch;

namespace Kvasir.Planning.Simulation;

/// <summary>
/// Eviction policies beside each other: one tier alone, and one request after another, each of which finds what those before it left. The
/// books and the policies are those that serve requests.
/// </summary>
public sealed class PolicyReplay
{
    /// <summary>Who knows the future: the block that is used again last, or never, goes first.</summary>
    public const string Belady = "belady";

    /// <summary>Likewise, but what saves the most computing for the time that it is kept stays.</summary>
    public const string BeladyByCost = "belady-cost";

    readonly Trace _trace;
    readonly PrefillCost _cost;
    readonly int _judged;
    readonly Lazy<TraceFuture> _future;

    /// <param name="trace">The requests.</param>
    /// <param name="cost">What computing a block takes.</param>
    /// <param name="judgedFrom">Share of the requests after which what is found counts, 0 up to below 1.</param>
    public PolicyReplay(Trace trace, PrefillCost cost, double judgedFrom = 0)
    {
        ArgumentNullException.ThrowIfNull(trace);
        ArgumentNullException.ThrowIfNull(cost);
        if (judgedFrom is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(judgedFrom), judgedFrom, "expected 0 up to below 1");
        (_trace, _cost, _judged) = (trace, cost, (int)(judgedFrom * trace.Requests.Count));
        _future = new(() => new TraceFuture(trace));
    }

    /// <summary>What can be compared: the policies that serve, and what no policy can do.</summary>
    public static IReadOnlyList<string> Policies { get; } = ["lru", "s3-fifo", "hit-density", Belady, BeladyByCost];

    /// <summary>What room for all finds.</summary>
    public PolicyOutcome Endless => Run("lru", Math.Max(1, _future.Value.Blocks));

    /// <summary>Replays the trace.</summary>
    /// <param name="policy">One of <see cref="Policies"/>.</param>
    /// <param name="blocks">Room; at least 1.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <exception cref="ArgumentException">There is no such policy.</exception>
    public PolicyOutcome Run(string policy, int blocks, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blocks, 1);
        IPolicyRoom room = policy switch
        {
            Belady => new ForeseenRoom(_future.Value, blocks, _ => 1),
            BeladyByCost => new ForeseenRoom(_future.Value, blocks, SecondsOf),
            _ => new BookedRoom(blocks, TierBooks.Policy(policy)),
        };
        long start = Stopwatch.GetTimestamp();
        (long asked, long found, double seconds, double saved) = (0, 0, 0, 0);
        for (int i = 0; i < _trace.Requests.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            TraceRequest request = _trace.Requests[i];
            int there = 0;
            while (there < request.Blocks.Length && room.Holds(request.Blocks[there]))
                there++;
            if (i >= _judged)
            {
                (asked, found) = (asked + request.Blocks.Length, found + there);
                seconds += _cost.Seconds(0, request.InputTokens);
                saved += _cost.Seconds(0, Math.Min(request.InputTokens, (long)there * _trace.BlockTokens));
            }
            room.Serve(i, request.Blocks, request.Left ?? request.Blocks);
        }
        return new PolicyOutcome(policy, blocks, asked, found, seconds > 0 ? saved / seconds : 0,
            Stopwatch.GetElapsedTime(start).TotalSeconds / Math.Max(1, room.Steps));
    }

    double SecondsOf(int depth) => _cost.Seconds((long)depth * _trace.BlockTokens, (depth + 1L) * _trace.BlockTokens);
}

/// <summary>What a policy found.</summary>
/// <param name="Policy">Its name.</param>
/// <param name="Blocks">The room that it had.</param>
/// <param name="Asked">Blocks of the prompts that count.</param>
/// <param name="Found">Those of them that were there with all before them.</param>
/// <param name="Saved">Share of the seconds of their prefill that need not be spent, 0 to 1.</param>
/// <param name="SecondsPerBlock">Time that the replay took for each block that was used or added, its books included.</param>
public sealed record PolicyOutcome(string Policy, int Blocks, long Asked, long Found, double Saved, double SecondsPerBlock)
{
    /// <summary>Whether it knew the future.</summary>
    public bool IsForeseen => Policy is PolicyReplay.Belady or PolicyReplay.BeladyByCost;

    /// <summary>Share of the blocks that were found, 0 to 1.</summary>
    public double Share => Asked == 0 ? 0 : (double)Found / Asked;
}

/// <summary>Room for blocks, which trace ids name.</summary>
interface IPolicyRoom
{
    /// <summary>Blocks that were used or added.</summary>
    long Steps { get; }

    bool Holds(long id);

    /// <summary>A request uses the blocks of its prompt that are there, and leaves others.</summary>
    void Serve(int number, long[] prompt, long[] left);
}

/// <summary>Room that a policy keeps.</summary>
sealed class BookedRoom(int blocks, IEvictionPolicy policy) : IPolicyRoom
{
    readonly BlockBooks _books = new(blocks, policy: policy);

    public long Steps { get; private set; }

    public bool Holds(long id) => _books.Contains(Visit.KeyOf(id));

    /// <summary>As tiers do it: what is there is used and what is not is added, each from the deepest block on.</summary>
    public void Serve(int number, long[] prompt, long[] left)
    {
        for (int i = prompt.Length - 1; i >= 0; i--)
            if (Holds(prompt[i]))
            {
                _books.Use(Visit.KeyOf(prompt[i]));
                Steps++;
            }
        for (int i = left.Length - 1; i >= 0; i--)
            if (!Holds(left[i]) && _books.TryAllocate() is { } block)
            {
                block.Complete().Register(Visit.KeyOf(left[i]), i == 0 ? default : Visit.KeyOf(left[i - 1]), []).Dispose();
                Steps++;
            }
    }
}
