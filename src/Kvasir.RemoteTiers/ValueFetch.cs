using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.RemoteTiers;

/// <summary>A group of layers of those blocks of a load that are in one value, which is fetched once for all of them.</summary>
/// <param name="Load">The load.</param>
/// <param name="Group">Which group.</param>
/// <param name="Value">The value, named by its last block.</param>
/// <param name="Count">Blocks of the value.</param>
/// <param name="Blocks">Those that are wanted, each with its index in the value.</param>
sealed record ValueFetch(BlockLoad Load, int Group, BlockKey Value, int Count, IReadOnlyList<(LoadedBlock Block, int Index)> Blocks)
{
    /// <summary>Whether somebody still wants it: a block that failed in one group is of no use in the others.</summary>
    public bool IsWanted => Blocks.Any(block => block.Block.Outcome == ReadOutcome.Ok);

    /// <summary>The blocks of a load by value, in the order of its groups.</summary>
    public static IEnumerable<ValueFetch> Of(BlockLoad load, IEnumerable<(LoadedBlock Block, KnownBlock Where)> blocks)
    {
        ILookup<(BlockKey, int), (LoadedBlock, int)> values =
            blocks.ToLookup(block => (block.Where.Value, block.Where.Count), block => (block.Block, block.Where.Index));
        for (int group = 0; group < load.Groups.Length; group++)
            foreach (IGrouping<(BlockKey Key, int Count), (LoadedBlock, int)> value in values)
                yield return new ValueFetch(load, group, value.Key.Key, value.Key.Count, [.. value]);
    }
}
