using Kvasir.KvCache.Blocks;

namespace Kvasir.Cluster.Peers;

/// <summary>
/// Blocks that another node brings. Each is reported once: by the thread that receives it, or, if it does not come, by whoever finds that
/// out. Thread-safe.
/// </summary>
/// <param name="load">The load.</param>
/// <param name="patience">How long nothing may come.</param>
/// <param name="time">The clock.</param>
/// <param name="over">Is called when the last block is reported.</param>
sealed class ExpectedLoad(BlockLoad load, TimeSpan patience, TimeProvider time, Action? over = null)
{
    readonly Dictionary<int, LoadedBlock> _left = load.Blocks.ToDictionary(block => (int)block.Place);
    long _news = time.GetTimestamp();
    int _unreported = load.Blocks.Count;

    /// <summary>The load.</summary>
    public BlockLoad Load => load;

    /// <summary>Whether nothing is to come any more.</summary>
    public bool IsOver
    {
        get
        {
            lock (_left)
                return _left.Count == 0;
        }
    }

    /// <summary>Whether nothing has come for too long.</summary>
    public bool IsLate => time.GetElapsedTime(Volatile.Read(ref _news)) > patience;

    /// <summary>Whether anybody still waits for a block of it.</summary>
    public bool IsWanted
    {
        get
        {
            lock (_left)
                return _left.Values.Any(block => block.IsWanted);
        }
    }

    /// <summary>Takes a block that has begun to come, to be reported by <see cref="End"/>; null when nobody expects it.</summary>
    public LoadedBlock? Take(int index)
    {
        lock (_left)
            return _left.Remove(index, out LoadedBlock? block) ? block : null;
    }

    /// <summary>Reports a block that was taken.</summary>
    public void End(LoadedBlock block, ReadOutcome outcome, bool isComputed = false)
    {
        Volatile.Write(ref _news, time.GetTimestamp());
        if (outcome != ReadOutcome.Ok)
            load.Fail(block, outcome);
        else if (isComputed)
            load.ComputedThere += block.Tokens.Length; // by the receiving thread only
        for (int group = 0; group < load.Groups.Length; group++)
            load.Done(block, group);
        if (Interlocked.Decrement(ref _unreported) == 0)
            over?.Invoke();
    }

    /// <summary>A block will not come.</summary>
    public void Fail(int index, ReadOutcome outcome)
    {
        if (Take(index) is { } block)
            End(block, outcome);
    }

    /// <summary>Nothing more will come.</summary>
    public void FailRest(ReadOutcome outcome)
    {
        LoadedBlock[] rest;
        lock (_left)
        {
            rest = [.. _left.Values];
            _left.Clear();
        }
        foreach (LoadedBlock block in rest)
            End(block, outcome);
    }
}
