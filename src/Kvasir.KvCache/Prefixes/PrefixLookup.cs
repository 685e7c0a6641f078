using System.Runtime.InteropServices;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers;

namespace Kvasir.KvCache.Prefixes;

/// <summary>Consecutive tokens that one tier has, or none.</summary>
/// <param name="From">Position of the first.</param>
/// <param name="To">Position after the last.</param>
/// <param name="Tier">Where they are; null when they have to be computed.</param>
public readonly record struct PrefixSpan(int From, int To, Tier? Tier);

/// <summary>
/// Which blocks of a prompt exist, and where: not a length but a set of intervals, because a block after a hole is exact, its key naming all before it. The
/// object is used again for the next prompt, so that looking up allocates nothing.
/// </summary>
public sealed class PrefixLookup
{
    readonly List<Place> _places = [];
    readonly List<Miss> _misses = [];

    /// <summary>Tokens of the prompt.</summary>
    public int Tokens { get; private set; }

    /// <summary>Tokens per block.</summary>
    public int BlockTokens { get; private set; }

    /// <summary>Blocks that were looked up: those that lie before the last token as a whole.</summary>
    public int Blocks => _places.Count;

    /// <summary>At the end: a stored block whose first tokens are the prompt's next, though it may go on differently, or end.</summary>
    public TailMatch Tail { get; private set; }

    /// <summary>Where that is.</summary>
    public Tier TailTier { get; private set; }

    /// <summary>Blocks before the tail: all up to the last that is there, and those before a tail that is.</summary>
    public int TailBlock { get; private set; }

    /// <summary>Position of the first token of the tail.</summary>
    public int TailStart => TailBlock * BlockTokens;

    /// <summary>What is missing, in ascending positions, and why. The last token is computed in any case and is no miss.</summary>
    public IReadOnlyList<Miss> Misses => _misses;

    /// <summary>The last block that is there; -1 when none is.</summary>
    public int LastPresent => _places.FindLastIndex(place => place.Tier is not null);

    /// <summary>Where a block is.</summary>
    public Tier? TierOf(int block) => _places[block].Tier;

    /// <summary>Tokens that a tier has.</summary>
    public int TokensIn(Tier tier)
    {
        int tokens = Tail.Common > 0 && TailTier == tier ? Tail.Common : 0;
        foreach (ref readonly Place place in CollectionsMarshal.AsSpan(_places))
            tokens += place.Tier == tier ? BlockTokens : 0;
        return tokens;
    }

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

    internal void Start(int tokens, int blockTokens)
    {
        (Tokens, BlockTokens, Tail, TailBlock) = (tokens, blockTokens, default, 0);
        _places.Clear();
        _misses.Clear();
    }

    internal void Add(Tier? tier, int slot = -1) => _places.Add(new Place(tier, slot));

    internal void SetTail(int block, TailMatch tail, Tier tier) => (TailBlock, Tail, TailTier) = (block, tail, tier);

    internal int Slot(int block) => _places[block].Slot;

    /// <summary>Treats a block as missing after all.</summary>
    internal void Forgo(int block) => _places[block] = new Place(null, -1);

    internal void Add(Miss miss)
    {
        if (_misses.Count > 0 && _misses[^1].ContinuesWith(miss))
            _misses[^1] = _misses[^1] with { To = miss.To };
        else
            _misses.Add(miss);
    }

    readonly record struct Place(Tier? Tier, int Slot);
}
