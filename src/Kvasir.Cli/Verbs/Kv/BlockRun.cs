using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.Cli.Verbs.Kv;

/// <summary>Blocks in their order: runs without a fork, each with those that follow it.</summary>
sealed class BlockRun
{
    public required List<InspectedBlock> Blocks { get; init; }

    /// <summary>Tokens before the run.</summary>
    public required int Before { get; init; }

    /// <summary>Blocks before the run.</summary>
    public required int BlocksBefore { get; init; }

    public List<BlockRun> Following { get; } = [];

    public InspectedBlock Last => Blocks[^1];

    public int Tokens => Blocks.Sum(block => block.Tokens.Length);

    public DateTimeOffset Used => Blocks.Max(block => block.Used);

    /// <summary>Runs that begin at a root, or at a block that is gone.</summary>
    public static List<BlockRun> Of(IReadOnlyList<InspectedBlock> blocks)
    {
        HashSet<BlockKey> keys = [.. blocks.Select(block => block.Key)];
        ILookup<BlockKey, InspectedBlock> following = blocks.ToLookup(block => block.Parent);
        return [.. blocks.Where(block => !keys.Contains(block.Parent)).Select(block => From(block, 0, following))];
    }

    /// <summary>All runs below and with this one, each with the tokens from the beginning to its end.</summary>
    public IEnumerable<BlockRun> All()
    {
        Stack<BlockRun> open = new([this]);
        while (open.TryPop(out BlockRun? run))
        {
            yield return run;
            run.Following.ForEach(open.Push);
        }
    }

    static BlockRun From(InspectedBlock first, int before, ILookup<BlockKey, InspectedBlock> following)
    {
        BlockRun top = Straight(first, before, 0, following);
        Stack<BlockRun> open = new([top]);
        while (open.TryPop(out BlockRun? run)) // no recursion: chains may be as long as a context
            foreach (InspectedBlock next in following[run.Last.Key])
            {
                run.Following.Add(Straight(next, run.Before + run.Tokens, run.BlocksBefore + run.Blocks.Count, following));
                open.Push(run.Following[^1]);
            }
        return top;
    }

    static BlockRun Straight(InspectedBlock first, int before, int blocksBefore, ILookup<BlockKey, InspectedBlock> following)
    {
        List<InspectedBlock> blocks = [first];
        while (following[blocks[^1].Key].Take(2).ToArray() is [var only])
            blocks.Add(only);
        return new BlockRun { Blocks = blocks, Before = before, BlocksBefore = blocksBefore };
    }
}
