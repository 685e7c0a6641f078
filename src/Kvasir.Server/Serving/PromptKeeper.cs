using Kvasir.KvCache;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Server.Serving;

/// <summary>
/// Keeps on the disk what requests asked to keep, for as long as they asked, in the background: a wish, not a promise. Pins of all requests
/// together hold at most half of the disk tier, and a wish beyond that is dropped.
/// </summary>
sealed class PromptKeeper(TieredKvCache cache) : IDisposable
{
    const int MostWaiting = 64;

    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    readonly SemaphoreSlim _one = new(1);
    int _waiting;

    /// <summary>Notes a wish. Returns at once.</summary>
    public void Keep(CompletionRequest request)
    {
        if (request.Keep is not { } wish || cache.Durable is null || Volatile.Read(ref _waiting) >= MostWaiting)
            return;
        Interlocked.Increment(ref _waiting);
        _ = Task.Run(async () =>
        {
            await _one.WaitAsync();
            try
            {
                IReadOnlyList<BlockKey> keys = cache.Keys(request.Prompts[0].AsSpan(0, wish.Tokens), request.Salt);
                cache.Pin(keys, $"request {request.Principal.Name}", DateTimeOffset.UtcNow + wish.Ttl, s_patience);
            }
            catch (IOException)
            {
                // more is pinned than may be, or the disk fails: the blocks live as long as others
            }
            finally
            {
                _one.Release();
                Interlocked.Decrement(ref _waiting);
            }
        });
    }

    public void Dispose() => _one.Dispose();
}
