using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers;

namespace Kvasir.KvCache.Lookups;

/// <summary>
/// Looks prompts up in the pool and the tiers behind it: every tier is asked once, none when warmer ones have all of it, and nobody is
/// waited for beyond a deadline.
/// </summary>
sealed class PrefixIndex(BlockPool device, IReadOnlyList<ITier> tiers, TransferCosts costs, TimeProvider time)
{
    // a tier that hangs would cost everybody the whole deadline
    readonly CircuitBreaker[] _circuits = [.. tiers.Select(_ => new CircuitBreaker(time))];

    /// <summary>
    /// Finds where the blocks of a prompt are. Never fails: what does not answer in time has nothing, and the misses say so. For tiers that
    /// are far it waits a little only; what they have in the end is <see cref="PrefixLookup.Later"/>.
    /// </summary>
    public async Task<PrefixLookup> Find(PrefixQuery query, TimeSpan deadline)
    {
        Question question = Ask(query, deadline);
        await Task.WhenAll(question.Finds.Where((_, tier) => !tiers[tier].IsFar)).ConfigureAwait(false);
        Task all = Task.WhenAll(question.Finds);
        if (!all.IsCompleted)
            await Task.WhenAny(all, Task.Delay(costs.PatienceToAsk(Missing(question), deadline), time)).ConfigureAwait(false);
        bool isOver = all.IsCompleted;
        PrefixLookup lookup = Answer(question);
        lookup.Later = isOver ? null : AnswerLater(question, all);
        return lookup;
    }

    /// <summary>The same, and waits for everybody until the deadline: for those who have nothing else to do.</summary>
    public async Task<PrefixLookup> FindAll(PrefixQuery query, TimeSpan deadline)
    {
        Question question = Ask(query, deadline);
        await Task.WhenAll(question.Finds).ConfigureAwait(false);
        return Answer(question);
    }

    /// <summary>What was asked.</summary>
    /// <param name="Query">About which prompt.</param>
    /// <param name="Lookup">What is known of it so far: what those have who answered at once.</param>
    /// <param name="Finds">The tiers' answers, the warmest tier's first; null for one that is late.</param>
    /// <param name="Waiting">Which of the tiers did not answer at once.</param>
    /// <param name="Start">When.</param>
    sealed record Question(PrefixQuery Query, PrefixLookup Lookup, List<Task<TierFind?>> Finds, HashSet<int> Waiting, long Start);

    Question Ask(PrefixQuery query, TimeSpan deadline)
    {
        Question question = new(query, NewLookup(query), [], [], time.GetTimestamp());
        for (int tier = 0; tier < tiers.Count && !question.Lookup.IsWhole; tier++)
        {
            Task<TierFind?> find = Ask(tier, query.After(question.Lookup.LastPresent), deadline, Missing(question));
            question.Finds.Add(find);
            if (find.IsCompletedSuccessfully)
                question.Lookup.Add(tiers[tier], find.Result);
            else
                question.Waiting.Add(tier);
        }
        return question;
    }

    PrefixLookup NewLookup(PrefixQuery query) => new(query, device, tiers, time.GetUtcNow());

    static int Missing(Question question) =>
        Enumerable.Range(0, question.Query.Blocks).Count(block => question.Lookup.TierOf(block) is null) * question.Query.BlockTokens;

    /// <summary>What a tier has; null when it does not say so in time, or is not worth asking.</summary>
    async Task<TierFind?> Ask(int tier, PrefixQuery query, TimeSpan deadline, int missing)
    {
        ITier asked = tiers[tier];
        if (_circuits[tier].IsOpen || asked.IsFar && !costs.IsWorthAsking(asked.Tier, missing))
            return null;
        long start = time.GetTimestamp();
        using CancellationTokenSource over = new();
        TierFind? found = null;
        try
        {
            ValueTask<TierFind> find = asked.Find(query, over.Token);
            found = find.IsCompletedSuccessfully
                ? find.Result
                : await find.AsTask().WaitAsync(deadline, time).ConfigureAwait(false);
            if (ReferenceEquals(found, TierFind.NoAnswer))
                return null;
            _circuits[tier].Succeeded();
            return found;
        }
        catch (TimeoutException)
        {
            _circuits[tier].Failed();
            await over.CancelAsync().ConfigureAwait(false);
            return null;
        }
        finally
        {
            if (asked.IsFar && !ReferenceEquals(found, TierFind.NoAnswer))
                costs.Answered(asked.Tier, time.GetElapsedTime(start));
        }
    }

    /// <summary>What is known by now.</summary>
    PrefixLookup Answer(Question question) =>
        Complete(question, question.Lookup, question.Waiting, question.Lookup.LastPresent);

    /// <summary>What is known when all have answered, or will not; what was computed meanwhile is in the pool.</summary>
    async Task<PrefixLookup> AnswerLater(Question question, Task all)
    {
        await all.ConfigureAwait(false);
        PrefixLookup lookup = NewLookup(question.Query);
        return Complete(question, lookup, Enumerable.Range(0, question.Finds.Count), question.Lookup.LastPresent);
    }

    PrefixLookup Complete(Question question, PrefixLookup lookup, IEnumerable<int> answers, int known)
    {
        foreach (int tier in answers)
            lookup.Add(tiers[tier], question.Finds[tier] is { IsCompletedSuccessfully: true } find ? find.Result : null);
        if (lookup.LastPresent > known) // those that answered at once did not know what to look for behind it
            AskAgain(question, lookup);
        lookup.Complete(time.GetElapsedTime(question.Start));
        return lookup;
    }

    void AskAgain(Question question, PrefixLookup lookup)
    {
        for (int tier = 0; tier < question.Finds.Count; tier++)
        {
            if (question.Waiting.Contains(tier))
                continue;
            ValueTask<TierFind> find = tiers[tier].Find(question.Query.After(lookup.LastPresent), CancellationToken.None);
            if (find.IsCompletedSuccessfully)
                lookup.Add(tiers[tier], find.Result);
        }
    }
}
