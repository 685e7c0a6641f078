using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.KvCache.Tiers;

/// <summary>
/// The threads that bring blocks into the pool, from the host's memory and from the disk. They start with the first work. A failing tier makes blocks void
/// and is counted; nothing is thrown at whoever waits.
/// </summary>
sealed unsafe class Onboarder(KvLayout layout, DiskTier? disk, TransferCosts costs, TierTraffic traffic) : IDisposable
{
    const int Readers = 4; // as many requests keep a disk busy

    readonly object _gate = new();
    readonly List<Onboarding> _waiting = [];
    readonly List<Thread> _threads = [];
    bool _stopping;

    /// <summary>Begins to bring blocks.</summary>
    public void Start(Onboarding onboarding)
    {
        lock (_gate)
        {
            _waiting.Add(onboarding);
            while (_threads.Count < Readers)
            {
                var thread = new Thread(Work) { IsBackground = true, Name = $"kvasir onboard {_threads.Count}" };
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
        while (Next() is { } onboarding)
            while (onboarding.TryClaim(out OnboardingBlock block, out int group))
            {
                bool failed = !Bring(onboarding, block, group);
                if (onboarding.Done(block, group))
                    Account(onboarding);
                if (failed)
                    disk?.Discard(block.Target.Key, block.Outcome); // may wait for a writer: after the waiters were told
            }
    }

    Onboarding? Next()
    {
        lock (_gate)
        {
            while (true)
            {
                _waiting.RemoveAll(onboarding => onboarding.IsClaimed);
                if (_waiting.Count > 0)
                    return _waiting[0];
                if (_stopping)
                    return null;
                Monitor.Wait(_gate);
            }
        }
    }

    /// <returns>False when this piece is the one that failed.</returns>
    bool Bring(Onboarding onboarding, OnboardingBlock block, int group)
    {
        if (Volatile.Read(ref block.Failed) != 0)
            return true;
        ReadOutcome outcome = block.Host is null
            ? disk!.Read(block.Slot, block.Target.Key, block.Target.Parent, block.Target.Tokens, group, block.Target.Address)
            : Copy(block.Host, block.Target, onboarding.Groups[group]);
        if (outcome == ReadOutcome.Ok || !onboarding.Fail(block, outcome))
            return true;
        KvCacheMetrics.Corrupt(outcome);
        disk?.Forget(block.Slot, block.Target.Key); // before anybody is told, or what is computed instead would not be written
        return false;
    }

    ReadOutcome Copy(BlockLease host, BlockLease target, LayerGroup part)
    {
        if (host.Layout.Codec != layout.Codec)
        {
            if (part.FirstLayer == 0) // one piece: its layers lie elsewhere in the other codec's block
                BlockTranscoder.Transcode(host.Layout, host.Address, layout, target.Address);
            return ReadOutcome.Ok;
        }
        BlockCopy.Copy(host.Address + part.Offset, target.Address + part.Offset, part.Bytes);
        return ReadOutcome.Ok;
    }

    /// <summary>A mixed load is accounted to each tier by its bytes: how long each would have taken alone is not known.</summary>
    void Account(Onboarding onboarding)
    {
        foreach (IGrouping<Tier, OnboardingBlock> tier in onboarding.Blocks.Where(block => block.Failed == 0).GroupBy(block => block.From))
        {
            long bytes = tier.Count() * layout.BlockBytes;
            TimeSpan time = onboarding.Time * ((double)tier.Count() / onboarding.Blocks.Count);
            costs.Loaded(tier.Key, bytes, time);
            if (tier.Key == Tier.Disk)
            {
                disk!.Count("load.disk.bytes", bytes);
                disk.Count("load.disk.us", (long)time.TotalMicroseconds);
                if (bytes >= TransferCosts.LeastBytes)
                {
                    disk.Count("load.disk.large.bytes", bytes);
                    disk.Count("load.disk.large.us", (long)time.TotalMicroseconds);
                }
            }
            traffic.Moved(tier.Key, Tier.Device, bytes, onboarding.Time);
        }
    }
}
