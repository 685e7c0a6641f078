namespace Kvasir.KvCache.Prefixes;

/// <summary>Blocks in their order: runs without a fork, each with those that follow it.</summary>
public sealed class BlockRun<T> where T : class, IPrefixBlock
{
    /// <summary>The blocks, in their order.</summary>
    public required IReadOnlyList<T> Blocks { get; init; }

    /// <summary>Tokens before the run.</summary>
    public required int Before { get; init; }

    /// <summary>Blocks before the run.</summary>
    public required int BlocksBefore { get; init; }

    /// <summary>The runs that follow it.</summary>
    public IReadOnlyList<BlockRun<T>> Following => _following;

    readonly List<BlockRun<T>> _following = [];

    /// <summary>Its last block.</summary>
    public T Last => Blocks[^1];

    /// <summary>Its tokens.</summary>
    public int Tokens => Blocks.Sum(block => block.Tokens.Length);

    /// <summary>All runs below and with this one, each with the tokens from the beginning to its end.</summary>
    public IEnumerable<BlockRun<T>> All()
    {
        Stack<BlockRun<T>> open = new([this]);
        while (open.TryPop(out BlockRun<T>? run))
        {
            yield return run;
            run._following.ForEach(open.Push);
        }
    }

    internal static BlockRun<T> From(T first, int before, ILookup<BlockKey, T> following)
    {
        BlockRun<T> top = Straight(first, before, 0, following);
        Stack<BlockRun<T>> open = new([top]);
        while (open.TryPop(out BlockRun<T>? run)) // no recursion: chains may be as long as a context
            foreach (T next in following[run.Last.Key])
            {
                run._following.Add(Straight(next, run.Before + run.Tokens, run.BlocksBefore + run.Blocks.Count, following));
                open.Push(run._following[^1]);
            }
        return top;
    }

    static BlockRun<T> Straight(T first, int before, int blocksBefore, ILookup<BlockKey, T> following)
    {
        List<T> blocks = [first];
        while (following[blocks[^1].Key].Take(2).ToArray() is [var only])
            blocks.Add(only);
        return new BlockRun<T> { Blocks = blocks, Before = before, BlocksBefore = blocksBefore };
    }
}

/// <summary>Finds the runs of blocks.</summary>
public static class BlockRuns
{
    /// <summary>Runs that begin at a root, or at a block that is gone. What a damaged catalogue has in a circle is left out.</summary>
    public static IReadOnlyList<BlockRun<T>> Of<T>(IReadOnlyList<T> blocks) where T : class, IPrefixBlock
    {
        ArgumentNullException.ThrowIfNull(blocks);
        HashSet<BlockKey> keys = [.. blocks.Select(block => block.Key)];
        ILookup<BlockKey, T> following = blocks.ToLookup(block => block.Parent);
        return [.. blocks.Where(block => !keys.Contains(block.Parent)).Select(block => BlockRun<T>.From(block, 0, following))];
    }
}
