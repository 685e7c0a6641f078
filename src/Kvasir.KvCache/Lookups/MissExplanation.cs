using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;

namespace Kvasir.KvCache.Lookups;

/// <summary>Says why each missing token of a prompt is missing. Asks tiers for what they remember, in one call each.</summary>
sealed class MissExplanation(
    PrefixLookup lookup, PrefixQuery query, BlockPool device, IReadOnlyList<ITier> tiers, DateTimeOffset lookedUp, Tier? late)
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2); // that somebody waits for an answer's last line

    readonly List<Miss> _misses = [];
    readonly Dictionary<BlockKey, (DateTimeOffset When, Tier Tier)> _evicted = [];

    /// <summary>What is missing, and why; where the tiers do not say so in time, that.</summary>
    public static IReadOnlyList<Miss> Misses(
        PrefixLookup lookup, PrefixQuery query, BlockPool device, IReadOnlyList<ITier> tiers, DateTimeOffset lookedUp)
    {
        if (tiers.FirstOrDefault(tier => tier is IDurableTier) is not { } slow)
            return Explained(tiers, lookup.Late);
        Task<IReadOnlyList<Miss>> misses = Task.Factory.StartNew(() => Explained(tiers, lookup.Late), CancellationToken.None,
            TaskCreationOptions.LongRunning, TaskScheduler.Default);
        return ((IAsyncResult)misses).AsyncWaitHandle.WaitOne(s_patience) ? misses.GetAwaiter().GetResult() : Explained([], slow.Tier);

        IReadOnlyList<Miss> Explained(IReadOnlyList<ITier> asked, Tier? late) =>
            new MissExplanation(lookup, query, device, asked, lookedUp, late).Misses();
    }

    List<Miss> Misses()
    {
        int from = lookup.TailStart + lookup.Tail.Common, end = query.Tokens.Length;
        List<int> holes = [.. Enumerable.Range(0, lookup.TailBlock).Where(
            block => lookup.TierOf(block) is null && (!lookup.IsForgone(block) || lookup.WhyForgone(block) is not null))];
        AskForEvictions(holes, from < end);
        foreach (int block in holes)
            Add(Hole(block));
        if (lookup.TailForgone > 0)
            Add(new Miss(from, from += lookup.TailForgone, MissReason.WindowGone));
        if (from < end)
            Add(End(from, end));
        return _misses;
    }

    void AskForEvictions(List<int> holes, bool wantsEnd)
    {
        List<BlockKey> keys = [.. holes.Select(block => query.Keys[block])];
        if (wantsEnd && lookup.TailBlock < lookup.Blocks)
            keys.Add(query.Keys[lookup.TailBlock]);
        if (keys.Count == 0)
            return;
        Remember(device.EvictionsOf(keys), Tier.Device);
        foreach (ITier tier in tiers) // the coldest has the last word: there a block was longest
            Remember(tier.FindEvictions(keys), tier.Tier);
    }

    void Remember(IReadOnlyDictionary<BlockKey, DateTimeOffset> evictions, Tier tier)
    {
        foreach ((BlockKey key, DateTimeOffset when) in evictions)
            if (when <= lookedUp) // what went since is no reason
                _evicted[key] = (when, tier);
    }

    Miss Hole(int block)
    {
        int from = block * query.BlockTokens, to = from + query.BlockTokens;
        if (lookup.WhyForgone(block) is { } why)
            return new Miss(from, to, why);
        return Evicted(query.Keys[block], from, to) ?? Unknown(from, to);
    }

    Miss End(int from, int to)
    {
        int block = lookup.TailBlock;
        TailMatch tail = lookup.Tail;
        if (block < lookup.Blocks && Evicted(query.Keys[block], from, to) is { } evicted)
            return evicted;
        if (late is null && tail.Found && tail.Expected >= 0)
            return new Miss(from, to, MissReason.Diverged, Expected: tail.Expected, Got: query.Tokens[from]);
        if (!tail.Found && block == 0 && Elsewhere() is { } elsewhere)
            return elsewhere with { From = from, To = to };
        bool isShort = !tail.Found && block > 0 && to - from < query.BlockTokens;
        return isShort && late is null ? new Miss(from, to, MissReason.BelowBlockSize) : Unknown(from, to);
    }

    /// <summary>Nobody knows them, or the one who might did not say so in time.</summary>
    Miss Unknown(int from, int to) => late is { } tier
        ? new Miss(from, to, MissReason.TooLate, tier)
        : new Miss(from, to, MissReason.NeverSeen);

    Miss? Evicted(BlockKey key, int from, int to) =>
        _evicted.TryGetValue(key, out (DateTimeOffset When, Tier Tier) eviction)
            ? new Miss(from, to, MissReason.Evicted, eviction.Tier, eviction.When)
            : null;

    /// <summary>Whether the first block is there for another model or under another salt.</summary>
    Miss? Elsewhere()
    {
        foreach (IDurableTier tier in tiers.OfType<IDurableTier>())
            if (tier.Elsewhere(query.Root, query.FirstBlock) is { } foreign)
                return foreign.Model is { } model
                    ? new Miss(0, 0, MissReason.OtherModel, Detail: model)
                    : new Miss(0, 0, MissReason.OtherSalt);
        return null;
    }

    void Add(Miss miss)
    {
        if (_misses.Count > 0 && _misses[^1].ContinuesWith(miss))
            _misses[^1] = _misses[^1] with { To = miss.To };
        else
            _misses.Add(miss);
    }
}
