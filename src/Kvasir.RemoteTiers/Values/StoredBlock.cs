using Kvasir.KvCache.Prefixes;

namespace Kvasir.RemoteTiers.Values;

/// <summary>What a store says that it has: a hint, which the value that it names has to prove.</summary>
/// <param name="Parent">The key of the block before it, or the root.</param>
/// <param name="Tokens">Its tokens.</param>
/// <param name="Run">The run that it is in.</param>
/// <param name="Index">Which of the run's blocks it is.</param>
/// <param name="Written">When.</param>
sealed record StoredBlock(BlockKey Parent, int[] Tokens, StoredRun Run, int Index, DateTimeOffset Written)
{
    /// <summary>The block's key.</summary>
    public BlockKey Key => KeyChain.Next(Parent, Tokens);
}

/// <summary>Consecutive blocks that were written together.</summary>
/// <param name="Last">The key of the last.</param>
/// <param name="Count">How many they are.</param>
/// <param name="Before">Where runs have entries: the key of the block before the first, or the root.</param>
/// <param name="LastFull">Where runs have entries: the key of the last full block, which a longer prompt has too; of a tail alone its own.
/// </param>
sealed record StoredRun(BlockKey Last, int Count, BlockKey Before = default, BlockKey LastFull = default);
