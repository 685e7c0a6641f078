using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.RemoteTiers.Indexes;

/// <summary>
/// The entries by which blocks are found: hints, any of which may be missing or wrong. Whatever it returns was read from a store and may be
/// anything that has the form of an entry of this model.
/// </summary>
interface IStoreIndex
{
    /// <summary>What there is of a prompt.</summary>
    Task<IndexFind> Find(PrefixQuery query);

    /// <summary>Those of blocks that are there; one that is in several runs several times.</summary>
    Task<StoredBlock[]> Present(IReadOnlyCollection<BlockKey> keys);

    /// <summary>Of the blocks of runs that are about to be written those that are there, as far as one question tells.</summary>
    Task<StoredBlock[]> AlreadyThere(IReadOnlyList<BlockWrite[]> runs);

    /// <summary>All blocks of this model, so many entries at a time.</summary>
    IAsyncEnumerable<StoredBlock[]> List(int atOnce);

    /// <summary>What consecutive blocks that are written together are called.</summary>
    StoredRun RunOf(ReadOnlySpan<BlockWrite> blocks);

    /// <summary>The entries of a run.</summary>
    IEnumerable<(string Name, byte[] Value)> Entries(IReadOnlyList<StoredBlock> run);

    /// <summary>The entries that lead to a block.</summary>
    /// <param name="key">The block.</param>
    /// <param name="run">The run that it is in.</param>
    /// <param name="parent">The block before it, for the entries that lead to those who go on differently, too.</param>
    IEnumerable<string> Names(BlockKey key, StoredRun run, BlockKey? parent = null);

    /// <summary>Removes blocks, and the values of runs of which nothing is left.</summary>
    Task Remove(IReadOnlyCollection<StoredBlock> blocks);
}

/// <summary>What there is of a prompt.</summary>
/// <param name="Blocks">An entry for each of its full blocks, or null.</param>
/// <param name="Following">An entry of a block that follows so many of them, perhaps another than the prompt's; null for none.</param>
sealed record IndexFind(StoredBlock?[] Blocks, Func<int, StoredBlock?> Following);
