using System.Collections.Immutable;
using System.Diagnostics;
using Kvasir.KvCache.Layout;

namespace Kvasir.KvCache.Blocks;

/// <summary>
/// Blocks on their way from one tier into memory, group of layers by group of layers: first the first layers of all blocks, so that
/// attention can begin with them while the rest is still read. A tier reports each group of each block once, from whatever thread; whoever
/// needs a layer waits for its group.
/// </summary>
public sealed class BlockLoad
{
    const double LongestWait = int.MaxValue / 1000; // seconds

    readonly object _progress = new();
    long _start;
    LoadedBlock[] _blocks = [];
    int[]? _left; // blocks left in each group, once it has begun
    int _claimed;
    volatile bool _anyFailed;

    /// <param name="from">The tier that they come from.</param>
    /// <param name="groups">The groups of a block, in the order in which they are wanted.</param>
    public BlockLoad(Tier from, ImmutableArray<LayerGroup> groups) => (From, Groups) = (from, groups);

    /// <summary>The tier that they come from.</summary>
    public Tier From { get; }

    /// <summary>The groups of a block.</summary>
    public ImmutableArray<LayerGroup> Groups { get; }

    /// <summary>The blocks.</summary>
    public IReadOnlyList<LoadedBlock> Blocks => _blocks;

    /// <summary>Whether some block will not come.</summary>
    public bool AnyFailed => _anyFailed;

    /// <summary>From the start to the arrival of the last group; zero before that.</summary>
    public TimeSpan Time { get; private set; }

    /// <summary>Who brought them, when that is another machine.</summary>
    internal string? Origin { get; set; }

    /// <summary>Tokens that were computed there for it.</summary>
    internal int ComputedThere { get; set; }

    /// <summary>How much of it has come, or will not: from 0 to 1.</summary>
    internal double Share
    {
        get
        {
            lock (_progress)
                return _left is null ? 0 : 1 - _left.Sum() / (double)Math.Max(1, _blocks.Length * Groups.Length);
        }
    }

    /// <summary>Whether all pieces are taken by those who bring them.</summary>
    public bool IsClaimed => Volatile.Read(ref _claimed) >= _blocks.Length * Groups.Length;

    /// <summary>Is called on the thread that brought the last group.</summary>
    internal Action<BlockLoad>? Over { get; init; }

    /// <summary>Says which blocks it brings.</summary>
    internal void Begin(LoadedBlock[] blocks)
    {
        foreach (LoadedBlock block in blocks)
            block.GroupsLeft = Groups.Length;
        int[] left = new int[Groups.Length];
        Array.Fill(left, blocks.Length);
        lock (_progress)
            (_blocks, _left, _start) = (blocks, left, Stopwatch.GetTimestamp());
    }

    /// <summary>Takes the next piece of work, in the order in which they are wanted; false when all are taken.</summary>
    public bool TryClaim(out LoadedBlock block, out int group)
    {
        int piece = Interlocked.Increment(ref _claimed) - 1;
        (group, block) = (piece / _blocks.Length, _blocks[piece % _blocks.Length]);
        return group < Groups.Length;
    }

    /// <summary>A block will not come. Its other groups are still to be reported by <see cref="Done"/>; nobody has to bring them.</summary>
    /// <returns>True for whoever says so first.</returns>
    public bool Fail(LoadedBlock block, ReadOutcome outcome)
    {
        ArgumentNullException.ThrowIfNull(block);
        if (!block.TryFail(outcome))
            return false;
        _anyFailed = true;
        return true;
    }

    /// <summary>A group of a block has come to its destination, or will not come any more.</summary>
    public void Done(LoadedBlock block, int group)
    {
        ArgumentNullException.ThrowIfNull(block);
        if (block.Outcome == ReadOutcome.Ok)
            block.Land(Groups[group]);
        if (Interlocked.Decrement(ref block.GroupsLeft) == 0)
            block.End();
        if (Count(group))
            Over?.Invoke(this);
    }

    /// <summary>Waits for the first groups up to one; false when the time is over before.</summary>
    public bool Wait(int group, TimeSpan patience)
    {
        double seconds = patience == Timeout.InfiniteTimeSpan ? LongestWait : Math.Min(patience.TotalSeconds, LongestWait);
        long deadline = Stopwatch.GetTimestamp() + (long)(seconds * Stopwatch.Frequency);
        lock (_progress)
        {
            while (!Arrived(group))
            {
                TimeSpan rest = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), deadline);
                if (rest <= TimeSpan.Zero || !Monitor.Wait(_progress, rest))
                    return Arrived(group);
            }
            return true;
        }
    }

    /// <summary>Counts a piece; true when it was the last of all.</summary>
    bool Count(int group)
    {
        lock (_progress)
        {
            if (--_left![group] > 0)
                return false;
            bool all = Array.TrueForAll(_left, left => left == 0);
            if (all)
                Time = Stopwatch.GetElapsedTime(_start);
            Monitor.PulseAll(_progress);
            return all;
        }
    }

    bool Arrived(int group)
    {
        for (int g = 0; g <= group; g++)
            if (_left is null || _left[g] > 0)
                return false;
        return true;
    }
}
