using Kvasir.KvCache.Blocks;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.RemoteTiers;

/// <summary>Groups of layers of those blocks of a load that are in one run, which are fetched once for all of them.</summary>
/// <param name="Load">The load.</param>
/// <param name="Run">The run.</param>
/// <param name="Groups">Which groups.</param>
/// <param name="Blocks">The blocks that are wanted, each with its index in the run.</param>
sealed record ValueFetch(BlockLoad Load, StoredRun Run, GroupRange Groups, IReadOnlyList<(LoadedBlock Block, int Index)> Blocks)
{
    /// <summary>Whether somebody still wants it: a block that failed in one group is of no use in the others.</summary>
    public bool IsWanted => Blocks.Any(block => block.Block.Outcome == ReadOutcome.Ok);

    /// <summary>What to fetch for the blocks of a load, in the order of its groups.</summary>
    public static IEnumerable<ValueFetch> Of(BlockLoad load, IEnumerable<(LoadedBlock Block, KnownBlock Where)> blocks, RunValues values) =>
        blocks.GroupBy(block => block.Where.Run, block => (block.Block, block.Where.Index))
            .SelectMany(run => values.Reads(run.Key).Select(groups => new ValueFetch(load, run.Key, groups, [.. run])))
            .OrderBy(fetch => fetch.Groups.First); // which keeps the order of runs
}
