using System.Collections.Concurrent;
using Kvasir.KvCache.Blocks;

namespace Kvasir.KvCache.Tiers;

/// <summary>
/// The thread on which a tier answers lookups, one at a time: a slow one must not keep the pool's few threads waiting, which hand out
/// everybody's tokens. It starts with the first lookup.
/// </summary>
/// <param name="tier">The tier, for the thread's name.</param>
sealed class LookupThread(Tier tier) : IDisposable
{
    readonly BlockingCollection<Action> _waiting = [];
    readonly Lock _gate = new();
    Thread? _thread;

    /// <summary>Answers when those before have been answered; nothing when nobody waits for it by then, or the tier is closed.</summary>
    public Task<TierFind> Run(Func<TierFind> find, CancellationToken cancellation)
    {
        var answer = new TaskCompletionSource<TierFind>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_waiting.IsAddingCompleted)
                return Task.FromResult(TierFind.Nothing);
            _waiting.Add(Answer, CancellationToken.None);
            if (_thread is null)
                (_thread = new Thread(Work) { IsBackground = true, Name = $"kvasir {tier.Name()} lookups" }).Start();
        }
        return answer.Task;

        void Answer()
        {
            try
            {
                answer.SetResult(cancellation.IsCancellationRequested ? TierFind.Nothing : find());
            }
            catch (Exception e) // is whoever's who asked
            {
                answer.SetException(e);
            }
        }
    }

    /// <summary>Answers those that wait and ends.</summary>
    public void Dispose()
    {
        lock (_gate)
            _waiting.CompleteAdding();
        _thread?.Join();
        _waiting.Dispose();
    }

    void Work()
    {
        foreach (Action answer in _waiting.GetConsumingEnumerable())
            answer();
    }
}
