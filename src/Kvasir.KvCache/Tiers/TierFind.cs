using Kvasir.KvCache.Blocks;

namespace Kvasir.KvCache.Tiers;

/// <summary>
/// What a tier has of a prompt: which blocks, where, and which block begins like what follows them.
/// </summary>
/// <param name="Places">Of each full block its place, in a way that the tier alone understands; <see cref="Absent"/> where the tier has
/// none. Empty for a tier that has nothing.</param>
/// <param name="Tails">
/// Blocks that share first tokens with what follows: after the last full block, and after the last that is there or known to be in a warmer
/// tier. The longest at each place.
/// </param>
public sealed record TierFind(long[] Places, IReadOnlyList<TailFind> Tails)
{
    /// <summary>The place of a block that is not there.</summary>
    public const long Absent = -1;

    /// <summary>Nothing of it.</summary>
    public static TierFind Nothing { get; } = new([], []);

    /// <summary>What a tier answers that cannot be asked now: what it may have of the prompt is not known.</summary>
    public static TierFind NoAnswer { get; } = new([], []);

    /// <summary>The last block that is there; -1 when none is.</summary>
    public int LastPresent => Array.FindLastIndex(Places, place => place != Absent);

    /// <summary>The place of a block, or <see cref="Absent"/>.</summary>
    public long Place(int block) => block < Places.Length ? Places[block] : Absent;

    /// <summary>What shares first tokens with what follows a number of blocks.</summary>
    public TailFind? TailAfter(int blocks) => Tails.FirstOrDefault(tail => tail.Block == blocks);
}

/// <summary>A block of a tier that shares first tokens with a prompt's next.</summary>
/// <param name="Block">Blocks before it.</param>
/// <param name="Match">What they share.</param>
/// <param name="Tokens">All of its tokens.</param>
/// <param name="Place">Where it is, in a way that the tier alone understands.</param>
public sealed record TailFind(int Block, TailMatch Match, int[] Tokens, long Place);
