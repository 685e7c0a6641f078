using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers;

namespace Kvasir.KvCache.Lookups;

/// <summary>
/// Looks prompts up in the pool and the tiers behind it: every tier is asked once, none when warmer ones have all of it, and nobody is
/// waited for beyond a deadline.
/// </summary>
sealed class PrefixIndex(BlockPool device, IReadOnlyList<ITier> tiers, TimeProvider time)
{
    // a tier that hangs would cost everybody the whole deadline
    readonly CircuitBreaker[] _circuits = [.. tiers.Select(_ => new CircuitBreaker(time))];

    /// <summary>
    /// Finds where the blocks of a prompt are. Never fails: what does not answer in time has nothing, and the misses say so.
    /// </summary>
    public async Task<PrefixLookup> Find(PrefixQuery query, TimeSpan deadline)
    {
        long start = time.GetTimestamp();
        var lookup = new PrefixLookup(query, device, tiers, time.GetUtcNow());
        var waiting = new Task<TierFind?>?[tiers.Count];
        for (int tier = 0; tier < tiers.Count && !lookup.IsWhole; tier++)
        {
            Task<TierFind?> find = Ask(tier, query.After(lookup.LastPresent), deadline);
            if (find.IsCompletedSuccessfully)
                lookup.Add(tiers[tier], find.Result);
            else
                waiting[tier] = find;
        }
        int known = lookup.LastPresent;
        for (int tier = 0; tier < tiers.Count; tier++)
            if (waiting[tier] is { } find)
                lookup.Add(tiers[tier], await find.ConfigureAwait(false));
        if (lookup.LastPresent > known) // those that answered at once did not know what to look for behind it
            AskAgain(query.After(lookup.LastPresent), lookup, waiting);
        lookup.Complete(time.GetElapsedTime(start));
        return lookup;
    }

    /// <summary>What a tier has; null when it does not say so in time.</summary>
    async Task<TierFind?> Ask(int tier, PrefixQuery query, TimeSpan deadline)
    {
        if (_circuits[tier].IsOpen)
            return null;
        using CancellationTokenSource over = new();
        try
        {
            ValueTask<TierFind> find = tiers[tier].Find(query, over.Token);
            TierFind found = find.IsCompletedSuccessfully
                ? find.Result
                : await find.AsTask().WaitAsync(deadline, time).ConfigureAwait(false);
            _circuits[tier].Succeeded();
            return found;
        }
        catch (TimeoutException)
        {
            _circuits[tier].Failed();
            await over.CancelAsync().ConfigureAwait(false);
            return null;
        }
    }

    void AskAgain(PrefixQuery query, PrefixLookup lookup, Task<TierFind?>?[] except)
    {
        for (int tier = 0; tier < tiers.Count; tier++)
        {
            if (except[tier] is not null)
                continue;
            ValueTask<TierFind> find = tiers[tier].Find(query, CancellationToken.None);
            if (find.IsCompletedSuccessfully)
                lookup.Add(tiers[tier], find.Result);
        }
    }
}
