using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Tiers;

/// <summary>What tiers are asked about a prompt. Never changes, so that any thread may read it.</summary>
/// <param name="keys">The keys of its full blocks that may be reused, each with the tokens before it.</param>
/// <param name="root">The key before the first.</param>
/// <param name="tokens">The prompt's tokens, at least one.</param>
/// <param name="blockTokens">Tokens per block.</param>
public sealed class PrefixQuery(BlockKey[] keys, BlockKey root, int[] tokens, int blockTokens)
{
    /// <summary>The keys of the full blocks.</summary>
    public ReadOnlySpan<BlockKey> Keys => keys;

    /// <summary>The key before the first block.</summary>
    public BlockKey Root => root;

    /// <summary>Tokens that may be reused: all but the last, which is computed in any case, for its logits.</summary>
    public ReadOnlySpan<int> Tokens => tokens.AsSpan(0, tokens.Length - 1);

    /// <summary>The tokens of the first block, the last of the prompt included.</summary>
    public ReadOnlySpan<int> FirstBlock => tokens.AsSpan(0, Math.Min(blockTokens, tokens.Length));

    /// <summary>Tokens per block.</summary>
    public int BlockTokens => blockTokens;

    /// <summary>Full blocks.</summary>
    public int Blocks => keys.Length;

    /// <summary>The last block that warmer tiers have; -1 for none.</summary>
    public int LastKnown { get; internal init; } = -1;

    /// <summary>The key of the block before one, or the root.</summary>
    public BlockKey Before(int block) => block == 0 ? root : keys[block - 1];

    /// <summary>A block's tokens, as far as they may be reused; none behind the prompt's end.</summary>
    public ReadOnlySpan<int> TokensOf(int block)
    {
        int start = Math.Min(Tokens.Length, block * blockTokens);
        return Tokens.Slice(start, Math.Min(blockTokens, Tokens.Length - start));
    }

    /// <summary>The same with what warmer tiers have.</summary>
    internal PrefixQuery After(int lastKnown) => new(keys, root, tokens, blockTokens) { LastKnown = lastKnown };
}
