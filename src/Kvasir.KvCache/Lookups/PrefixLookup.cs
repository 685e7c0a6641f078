using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers;

namespace Kvasir.KvCache.Lookups;

/// <summary>Consecutive tokens that one tier has, or none.</summary>
/// <param name="From">Position of the first.</param>
/// <param name="To">Position after the last.</param>
/// <param name="Tier">Where they are; null when they have to be computed.</param>
public readonly record struct PrefixSpan(int From, int To, Tier? Tier);

/// <summary>
/// Which blocks of a prompt exist, and where: not a length but a set of intervals, because a block after a hole is
/// exact, its key naming all before it.
/// </summary>
public sealed class PrefixLookup
{
    readonly PrefixQuery _query;
    readonly (Tier? Tier, ITier? Source, long Place)[] _places;
    readonly List<(ITier Tier, TierFind? Find)> _finds = [];
    readonly Lazy<IReadOnlyList<Miss>> _misses;
    readonly Dictionary<int, MissReason?> _forgone = []; // and why, if that is told here
    readonly BlockPool _device;

    internal PrefixLookup(PrefixQuery query, BlockPool device, IReadOnlyList<ITier> tiers, DateTimeOffset time)
    {
        (_query, _device) = (query, device);
        _places = new (Tier?, ITier?, long)[query.Blocks];
        _misses = new(() => MissExplanation.Misses(this, query, device, tiers, time));
        Place(Tier.Device, null, device.Find(query));
    }

    /// <summary>Tokens of the prompt.</summary>
    public int Tokens => _query.Tokens.Length + 1;

    /// <summary>Tokens per block.</summary>
    public int BlockTokens => _query.BlockTokens;

    /// <summary>Blocks that were looked up: those that lie before the last token as a whole.</summary>
    public int Blocks => _places.Length;

    /// <summary>At the end: a stored block whose first tokens are the prompt's next, though it may go on differently, or end.</summary>
    public TailMatch Tail => TailFound?.Match ?? default;

    /// <summary>Where that is.</summary>
    public Tier TailTier => TailSource?.Tier ?? Tier.Device;

    /// <summary>Blocks before the tail: all up to the last that is there, and those before a tail that is.</summary>
    public int TailBlock { get; private set; }

    /// <summary>Position of the first token of the tail.</summary>
    public int TailStart => TailBlock * BlockTokens;

    /// <summary>How long it took.</summary>
    public TimeSpan Time { get; private set; }

    /// <summary>
    /// What is missing, in ascending positions, and why. The last token is computed in any case and is no miss. Found out when it is asked
    /// for, which may take as long as a lookup; what was evicted later does not count.
    /// </summary>
    public IReadOnlyList<Miss> Misses => _misses.Value;

    /// <summary>Whether <see cref="Misses"/> are found out.</summary>
    internal bool IsExplained => _misses.IsValueCreated;

    /// <summary>The last block that is there; -1 when none is.</summary>
    public int LastPresent => Array.FindLastIndex(_places, place => place.Tier is not null);

    /// <summary>
    /// The same with what tiers that are far have, as soon as they say so; null when they have said it already, or were not asked.
    /// </summary>
    internal Task<PrefixLookup>? Later { get; set; }

    /// <summary>What was found of the layers with windows, which keep theirs apart; null where blocks hold all layers.</summary>
    internal PrefixLookup? Windows { get; set; }

    internal TailFind? TailFound { get; private set; }

    /// <summary>Tokens of the tail that were found and are computed all the same.</summary>
    internal int TailForgone { get; private set; }

    /// <summary>The tier that the tail is in; null for the pool.</summary>
    internal ITier? TailSource { get; private set; }

    /// <summary>The warmest tier that did not say in time what it has.</summary>
    internal Tier? Late => _finds.FirstOrDefault(find => find.Find is null).Tier?.Tier;

    /// <summary>Whether what was found already is all that there could be.</summary>
    internal bool IsWhole
    {
        get
        {
            int rest = _query.TokensOf(Blocks).Length;
            return !_places.Any(place => place.Tier is null)
                && (rest == 0 || _device.FindTail(_query, Blocks)?.Match.Common == rest
                    || _finds.Any(find => find.Find?.TailAfter(Blocks)?.Match.Common == rest));
        }
    }

    /// <summary>Where a block is.</summary>
    public Tier? TierOf(int block) => _places[block].Tier;

    /// <summary>Tokens that a tier has.</summary>
    public int TokensIn(Tier tier) =>
        (Tail.Common > 0 && TailTier == tier ? Tail.Common : 0) + BlockTokens * _places.Count(place => place.Tier == tier);

    /// <summary>The prompt as intervals, each in one tier or missing.</summary>
    public IEnumerable<PrefixSpan> Spans()
    {
        PrefixSpan span = default;
        foreach (PrefixSpan next in Pieces())
        {
            if (span.To > span.From && span.Tier != next.Tier)
                yield return span;
            span = span.To > span.From && span.Tier == next.Tier ? span with { To = next.To } : next;
        }
        if (span.To > span.From)
            yield return span;
    }

    IEnumerable<PrefixSpan> Pieces()
    {
        int tail = TailStart;
        for (int block = 0; block < TailBlock; block++)
            yield return new PrefixSpan(block * BlockTokens, (block + 1) * BlockTokens, _places[block].Tier);
        if (Tail.Common > 0)
            yield return new PrefixSpan(tail, tail + Tail.Common, TailTier);
        yield return new PrefixSpan(tail + Tail.Common, Tokens, null);
    }

    /// <summary>The tier that a block is in, and its place there; no tier for the pool, or when it is nowhere.</summary>
    internal (ITier? Source, long Place) SourceOf(int block) => (_places[block].Source, _places[block].Place);

    /// <summary>Whether a block was found and is computed all the same.</summary>
    internal bool IsForgone(int block) => _forgone.ContainsKey(block);

    /// <summary>Why, where nobody else tells.</summary>
    internal MissReason? WhyForgone(int block) => _forgone.GetValueOrDefault(block);

    /// <summary>Takes in what a tier has; null when it did not say so in time.</summary>
    internal void Add(ITier tier, TierFind? find)
    {
        _finds.RemoveAll(other => other.Tier == tier);
        _finds.Add((tier, find));
        if (find is not null)
            Place(tier.Tier, tier, find);
    }

    /// <summary>
    /// All have answered, or will not. A tail may follow the last full block, whether that is there or not; else what follows the last
    /// block that is there may begin alike.
    /// </summary>
    internal void Complete(TimeSpan time)
    {
        Time = time;
        _finds.Sort((one, other) => one.Tier.Tier.CompareTo(other.Tier.Tier));
        if (!TryTail(Blocks))
            TryTail(LastPresent + 1);
    }

    /// <summary>Treats a block as missing after all.</summary>
    /// <param name="block">The block.</param>
    /// <param name="why">What its miss is to say; null where somebody else tells.</param>
    internal void Forgo(int block, MissReason? why = null)
    {
        _places[block] = default;
        _forgone[block] = why;
    }

    /// <summary>The tail is of use only as far as the layers with windows have it, too.</summary>
    internal void LimitTail(PrefixLookup windows)
    {
        int common = windows.TailBlock == TailBlock ? windows.Tail.Common : 0;
        if (TailFound is null || common >= Tail.Common)
            return;
        TailForgone = Tail.Common - common;
        TailFound = TailFound with { Match = Tail with { Common = common } };
    }

    void Place(Tier tier, ITier? source, TierFind find)
    {
        for (int block = 0; block < find.Places.Length; block++)
            if (find.Places[block] != TierFind.Absent && (_places[block].Tier is not { } there || there > tier))
                _places[block] = (tier, source, find.Places[block]);
    }

    /// <summary>Takes the longest tail after a number of blocks, the warmest of those; whether any shares a token.</summary>
    bool TryTail(int block)
    {
        (TailBlock, TailFound, TailSource) = (block, _device.FindTail(_query, block), null);
        foreach ((ITier tier, TierFind? find) in _finds)
            if (find?.TailAfter(block) is { } tail && (TailFound is null || tail.Match.Common > Tail.Common))
                (TailFound, TailSource) = (tail, tier);
        return Tail.Common > 0;
    }
}
