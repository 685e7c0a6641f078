using System.Collections.Immutable;
using System.Diagnostics;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.KvCache.Tiers;

/// <summary>One block on its way into the pool.</summary>
/// <param name="target">Where it goes: a lease of the block that is registered already and awaits its content.</param>
/// <param name="from">The tier that it comes from.</param>
/// <param name="host">The block in the host's memory, if it comes from there.</param>
/// <param name="slot">The slot on the disk, if it comes from there.</param>
sealed class OnboardingBlock(BlockLease target, Tier from, BlockLease? host, int slot)
{
    public readonly BlockLease Target = target;
    public readonly Tier From = from;
    public readonly BlockLease? Host = host;
    public readonly int Slot = slot;
    public int Failed; // 1 once a group has failed
    public ReadOutcome Outcome;
    public int GroupsLeft;
}

/// <summary>
/// Blocks on their way into the pool, group of layers by group of layers: first the first layers of all blocks, so that attention can begin with them
/// while the rest is still read. Several threads take pieces; whoever needs a layer waits for its group.
/// </summary>
sealed class Onboarding
{
    readonly object _progress = new();
    long _start;
    OnboardingBlock[] _blocks = [];
    int[]? _left; // blocks left in each group, once it has begun
    int _claimed;
    volatile bool _anyFailed;

    public Onboarding(ImmutableArray<LayerGroup> groups) => Groups = groups;

    public ImmutableArray<LayerGroup> Groups { get; }

    public IReadOnlyList<OnboardingBlock> Blocks => _blocks;

    /// <summary>Whether some block will not come.</summary>
    public bool AnyFailed => _anyFailed;

    /// <summary>Says which blocks it brings: those that were registered with it.</summary>
    public void Begin(OnboardingBlock[] blocks)
    {
        foreach (OnboardingBlock block in blocks)
            block.GroupsLeft = Groups.Length;
        lock (_progress)
            (_blocks, _left, _start) = (blocks, [.. Groups.Select(_ => blocks.Length)], Stopwatch.GetTimestamp());
    }

    /// <summary>From the start to the arrival of the last group; zero before that.</summary>
    public TimeSpan Time { get; private set; }

    /// <summary>Takes the next piece of work; false when all are taken.</summary>
    public bool TryClaim(out OnboardingBlock block, out int group)
    {
        int piece = Interlocked.Increment(ref _claimed) - 1;
        (group, block) = (piece / _blocks.Length, _blocks[piece % _blocks.Length]);
        return group < Groups.Length;
    }

    public bool IsClaimed => Volatile.Read(ref _claimed) >= _blocks.Length * Groups.Length;

    /// <summary>A block will not come; true for whoever says so first.</summary>
    public bool Fail(OnboardingBlock block, ReadOutcome outcome)
    {
        if (Interlocked.Exchange(ref block.Failed, 1) != 0)
            return false;
        block.Outcome = outcome;
        block.Target.MakeVoid();
        _anyFailed = true;
        return true;
    }

    /// <summary>A group of a block has come, or will not come any more; true when it was the last of all.</summary>
    public bool Done(OnboardingBlock block, int group)
    {
        if (Interlocked.Decrement(ref block.GroupsLeft) == 0)
        {
            block.Target.EndLoad();
            block.Target.Dispose();
            block.Host?.Dispose();
        }
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

    /// <summary>Waits for the first groups up to one; false when the time is over before.</summary>
    public bool Wait(int group, TimeSpan patience)
    {
        long deadline = Stopwatch.GetTimestamp() + (long)(Math.Min(patience.TotalSeconds, int.MaxValue / 1000) * Stopwatch.Frequency);
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

    bool Arrived(int group)
    {
        for (int g = 0; g <= group; g++)
            if (_left is null || _left[g] > 0)
                return false;
        return true;
    }
}
