using Kvasir.KvCache.Blocks;

namespace Kvasir.KvCache.Tiers;

/// <summary>The threads of one tier that bring blocks, piece by piece. They start with the first load.</summary>
/// <param name="tier">The tier, for the names of the threads.</param>
/// <param name="bring">Brings a group of a block and reports it.</param>
sealed class LoadThreads(Tier tier, Action<BlockLoad, LoadedBlock, int> bring) : IDisposable
{
    const int Threads = 4; // as many requests keep a disk busy

    readonly object _gate = new();
    readonly List<BlockLoad> _waiting = [];
    readonly List<Thread> _threads = [];
    bool _stopping;

    /// <summary>Begins to bring blocks.</summary>
    public void Start(BlockLoad load)
    {
        lock (_gate)
        {
            _waiting.Add(load);
            while (_threads.Count < Threads)
            {
                var thread = new Thread(Work) { IsBackground = true, Name = $"kvasir {tier.Name()} {_threads.Count}" };
                _threads.Add(thread);
                thread.Start();
            }
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Finishes what was begun and ends the threads.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.PulseAll(_gate);
        }
        foreach (Thread thread in _threads)
            thread.Join();
    }

    void Work()
    {
        while (Next() is { } load)
            while (load.TryClaim(out LoadedBlock block, out int group))
                bring(load, block, group);
    }

    BlockLoad? Next()
    {
        lock (_gate)
        {
            while (true)
            {
                _waiting.RemoveAll(load => load.IsClaimed);
                if (_waiting.Count > 0)
                    return _waiting[0];
                if (_stopping)
                    return null;
                Monitor.Wait(_gate);
            }
        }
    }
}
