using System.Collections.Concurrent;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Metrics;
using Kvasir.KvCache.Tiers;

namespace Kvasir.KvCache;

/// <summary>
/// Accounts for requests: to the process's metrics, and to counters beside the blocks. Why tokens were missing may take the tiers' time to
/// find out, and nobody waits for that here: a thread of its own does, and what is too much for it stays without a reason.
/// </summary>
sealed class RequestAccounts : IDisposable
{
    readonly CacheCounters _counters;
    const int MostWaiting = 1024;

    readonly BlockingCollection<CacheUse> _waiting = new(MostWaiting);
    readonly Thread _thread;
    volatile bool _stopping;
    int _open;

    public RequestAccounts(CacheCounters counters)
    {
        _counters = counters;
        _thread = new Thread(Work) { IsBackground = true, Name = "kvasir accounts" };
        _thread.Start();
    }

    /// <summary>Notes a request that has ended. Returns at once.</summary>
    public void Add(CacheUse use)
    {
        KvCacheMetrics.LookedUp(use.Tokens);
        _counters.Count(CounterName.LookedUp, use.Tokens);
        foreach (Tier tier in Enum.GetValues<Tier>())
            if (use.From(tier) is > 0 and var tokens)
            {
                KvCacheMetrics.Hit(tier.Name(), tokens);
                _counters.Count(CounterName.Hit(tier), tokens);
            }
        Interlocked.Increment(ref _open);
        if (_waiting.IsAddingCompleted || !_waiting.TryAdd(use))
            Interlocked.Decrement(ref _open);
    }

    /// <summary>Waits until all is noted; false when the time is over before.</summary>
    public bool Flush(TimeSpan patience) => SpinWait.SpinUntil(() => Volatile.Read(ref _open) == 0, patience);

    /// <summary>Ends after the request that it is at; what waits stays without a reason.</summary>
    public void Dispose()
    {
        _stopping = true;
        _waiting.CompleteAdding();
        _thread.Join();
        _waiting.Dispose();
    }

    void Work()
    {
        foreach (CacheUse use in _waiting.GetConsumingEnumerable())
        {
            foreach (Miss miss in _stopping ? [] : use.Misses)
            {
                KvCacheMetrics.Missed(miss.Reason.Name(), miss.To - miss.From);
                _counters.Count(CounterName.Missed(miss.Reason.Name()), miss.To - miss.From);
            }
            Interlocked.Decrement(ref _open);
        }
    }
}
