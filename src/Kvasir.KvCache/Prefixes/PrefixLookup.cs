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

    /// <summary>After the last block that is there: the stored block whose first tokens are the prompt's next.</summary>
    public TailMatch Tail { get; internal set; }

    /// <summary>Where that is.</summary>
    public Tier TailTier { get; internal set; }

    /// <summary>Position of the first token after the last block that is there: where the tail begins.</summary>
    public int TailStart => (LastPresent + 1) * BlockTokens;

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
        int blocks = LastPresent + 1, tail = TailStart;
        for (int block = 0; block < blocks; block++)
            yield return new PrefixSpan(block * BlockTokens, (block + 1) * BlockTokens, _places[block].Tier);
        if (Tail.Common > 0)
            yield return new PrefixSpan(tail, tail + Tail.Common, TailTier);
        yield return new PrefixSpan(tail + Tail.Common, Tokens, null);
    }

    internal void Start(int tokens, int blockTokens)
    {
        (Tokens, BlockTokens, Tail) = (tokens, blockTokens, default);
        _places.Clear();
        _misses.Clear();
    }

    internal void Add(Tier? tier, int slot = -1) => _places.Add(new Place(tier, slot));

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
