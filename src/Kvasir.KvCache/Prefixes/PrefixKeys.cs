using System.Runtime.InteropServices;

namespace Kvasir.KvCache.Prefixes;

/// <summary>The keys of one sequence's full blocks, each computed once.</summary>
/// <param name="root">The key before the first block.</param>
/// <param name="blockTokens">Tokens per block.</param>
/// <param name="blocks">Blocks to make room for.</param>
sealed class PrefixKeys(BlockKey root, int blockTokens, int blocks)
{
    readonly List<BlockKey> _keys = new(blocks);

    public int BlockTokens => blockTokens;

    /// <summary>Blocks whose keys are known.</summary>
    public int Count => _keys.Count;

    /// <summary>The key of a block; of block -1, the root.</summary>
    public BlockKey this[int block] => block < 0 ? root : _keys[block];

    /// <summary>Computes the keys of the first <paramref name="blocks"/> blocks, as far as they are not known.</summary>
    public void Extend(ReadOnlySpan<int> tokens, int blocks)
    {
        for (int block = _keys.Count; block < blocks; block++)
            _keys.Add(KeyChain.Next(this[block - 1], TokensOf(tokens, block)));
    }

    /// <summary>A block's tokens; the last block may have fewer than a full one.</summary>
    public ReadOnlySpan<int> TokensOf(ReadOnlySpan<int> tokens, int block) =>
        tokens.Slice(block * blockTokens, Math.Min(blockTokens, tokens.Length - block * blockTokens));

    /// <summary>The keys of the first blocks; they must be known.</summary>
    public BlockKey[] First(int blocks) => [.. CollectionsMarshal.AsSpan(_keys)[..blocks]];

    public void Clear() => _keys.Clear();
}
