using System.Collections.Immutable;
using System.Threading.Channels;
using Kvasir.Formats;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;

namespace Kvasir.Server.Accounting;

/// <summary>A request that is over.</summary>
sealed record RequestRecord(
    string Id, string Endpoint, string Status, double Time, int PromptTokens, int CompletionTokens, double QueueS, double TtftS,
    double DurationS, Explanation? Kvasir);

/// <summary>TTFT of the requests that a tier served, the last ones.</summary>
sealed record TierTtft(string Tier, int Count, double P50S, double P95S);

/// <summary>What was served: totals since the start, the last requests, and news for who listens.</summary>
sealed class RequestLog
{
    const int Kept = 100, KeptTimes = 1000;

    readonly Lock _gate = new();
    readonly Queue<RequestRecord> _last = new();
    readonly Dictionary<string, Queue<double>> _ttft = [];
    readonly Dictionary<string, long> _misses = [];
    readonly HashSet<Channel<RequestRecord>> _listeners = [];
    RequestTotals _totals = new();

    /// <summary>Sums since the start.</summary>
    public RequestTotals Totals
    {
        get
        {
            lock (_gate)
                return _totals;
        }
    }

    /// <summary>Tokens that were not reused, by reason.</summary>
    public IReadOnlyDictionary<string, long> Misses
    {
        get
        {
            lock (_gate)
                return new Dictionary<string, long>(_misses);
        }
    }

    /// <summary>The last requests, the newest first.</summary>
    public IReadOnlyList<RequestRecord> Last
    {
        get
        {
            lock (_gate)
                return [.. _last.Reverse()];
        }
    }

    /// <summary>TTFT by the tier that served most of the prompt.</summary>
    public IReadOnlyList<TierTtft> Ttft
    {
        get
        {
            lock (_gate)
                return [.. _ttft.Select(
                    tier => new TierTtft(tier.Key, tier.Value.Count, Percentile.Of(tier.Value, 0.5), Percentile.Of(tier.Value, 0.95)))];
        }
    }

    /// <summary>A request is over.</summary>
    /// <param name="record">What is told of it.</param>
    /// <param name="results">What its completions did.</param>
    public void Add(RequestRecord record, IReadOnlyList<GenerationResult> results)
    {
        Miss[] misses = [.. results.SelectMany(result => result.Kv.Misses)]; // before the gate: tiers may take their time to remember
        lock (_gate)
        {
            _totals = _totals.Add(record, results);
            foreach (Miss miss in misses)
                _misses[miss.Reason.Name()] = _misses.GetValueOrDefault(miss.Reason.Name()) + miss.To - miss.From;
            if (results.Count > 0 && record.TtftS > 0)
                Keep(_ttft.TryGetValue(ServedBy(results[0]), out var times) ? times : _ttft[ServedBy(results[0])] = new Queue<double>(),
                    record.TtftS, KeptTimes);
            Keep(_last, record, Kept);
            foreach (Channel<RequestRecord> listener in _listeners)
                listener.Writer.TryWrite(record);
        }
    }

    /// <summary>A request was turned away.</summary>
    public void Reject()
    {
        lock (_gate)
            _totals = _totals with { Rejected = _totals.Rejected + 1 };
    }

    /// <summary>Listens for requests that end; who reads too slowly misses some.</summary>
    public Channel<RequestRecord> Listen()
    {
        Channel<RequestRecord> channel =
            Channel.CreateBounded<RequestRecord>(new BoundedChannelOptions(Kept) { FullMode = BoundedChannelFullMode.DropOldest });
        lock (_gate)
            _listeners.Add(channel);
        return channel;
    }

    public void Leave(Channel<RequestRecord> listener)
    {
        lock (_gate)
            _listeners.Remove(listener);
    }

    /// <summary>
    /// The coldest of the tiers that gave at least half of what was reused; computed when little was, and other nodes when they brought half.
    /// </summary>
    public static string ServedBy(GenerationResult result)
    {
        if (result.Kv.Peer * 2 >= result.PromptTokens)
            return Tier.Peer.Name();
        if (result.Kv.Reused * 2 < result.PromptTokens)
            return ExplainedSpan.Computed;
        Tier tier = Tier.Remote;
        for (int tokens = result.Kv.From(tier); tier > Tier.Device && tokens * 2 < result.Kv.Reused; tokens += result.Kv.From(tier))
            tier--;
        return tier.Name();
    }

    static void Keep<T>(Queue<T> queue, T item, int most)
    {
        queue.Enqueue(item);
        if (queue.Count > most)
            queue.Dequeue();
    }
}

/// <summary>Sums over all requests since the start.</summary>
sealed record RequestTotals
{
    public long Finished { get; init; }
    public long Cancelled { get; init; }
    public long Rejected { get; init; }
    public long Failed { get; init; }
    public long PromptTokens { get; init; }
    public long ReusedTokens { get; init; }
    public long ComputedTokens { get; init; }
    public long CompletionTokens { get; init; }
    public double SavedS { get; init; }

    /// <summary>Tokens reused from each tier.</summary>
    ImmutableArray<long> FromTiers { get; init; } = [.. Enum.GetValues<Tier>().Select(_ => 0L)];

    public long TokensFrom(Tier tier) => FromTiers[(int)tier];

    public RequestTotals Add(RequestRecord record, IReadOnlyList<GenerationResult> results) => this with
    {
        Finished = Finished + (record.Status is "cancelled" or "error" ? 0 : 1),
        Cancelled = Cancelled + (record.Status == "cancelled" ? 1 : 0),
        Failed = Failed + (record.Status == "error" ? 1 : 0),
        PromptTokens = PromptTokens + results.Sum(result => (long)result.PromptTokens),
        ReusedTokens = ReusedTokens + results.Sum(result => (long)result.ReusedTokens),
        FromTiers = [.. Enum.GetValues<Tier>().Select(tier => TokensFrom(tier) + results.Sum(result => (long)result.Kv.From(tier)))],
        ComputedTokens = ComputedTokens + results.Sum(result => (long)result.ComputedTokens),
        CompletionTokens = CompletionTokens + results.Sum(result => (long)result.TokenIds.Count),
        SavedS = SavedS + results.Sum(result => result.Kv.Saved.TotalSeconds),
    };
}
