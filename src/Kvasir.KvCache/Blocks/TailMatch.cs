using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Blocks;

/// <summary>The stored block that shares the most first tokens with what follows a prefix.</summary>
/// <param name="Key">The block's key; only meaningful when <see cref="Found"/>.</param>
/// <param name="Common">First tokens that are equal.</param>
/// <param name="Stored">Tokens of the block.</param>
/// <param name="Expected">The block's token after the common ones, or -1 when it has none.</param>
public readonly record struct TailMatch(BlockKey Key, int Common, int Stored, int Expected)
{
    /// <summary>Whether there is any block, be it with nothing in common.</summary>
    public bool Found => Stored > 0;

    /// <summary>This match, or that with a block if it has more in common.</summary>
    public TailMatch Longer(BlockKey key, ReadOnlySpan<int> tokens, ReadOnlySpan<int> following)
    {
        int common = tokens.CommonPrefixLength(following);
        return Found && common <= Common ? this : new TailMatch(key, common, tokens.Length, common < tokens.Length ? tokens[common] : -1);
    }
}
