using System.Runtime.InteropServices;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Metrics;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Tiers;

/// <summary>
/// Writes blocks to a colder tier, and tells it which were used, on a thread of its own. The queue holds keys, not blocks: a block that has
/// left memory when its turn comes is dropped and counted, so writing never holds memory back and nobody ever waits for it.
/// </summary>
/// <param name="tier">Where blocks are written to.</param>
/// <param name="device">The pool, where they are.</param>
/// <param name="warmer">Tiers that have them as they were computed when the pool has them no more.</param>
/// <param name="traffic">What was moved.</param>
/// <param name="time">The clock.</param>
/// <param name="last">Copies what none of them has; null when nothing could.</param>
sealed unsafe class WriteBack(
    ITier tier, BlockPool device, IReadOnlyList<ITier> warmer, TierTraffic traffic, TimeProvider time,
    Func<BlockKey, TierLease?>? last = null) : IDisposable
{
    /// <summary>Blocks that wait at most.</summary>
    public const int MostQueued = 1 << 16;

    /// <summary>What is written in one go.</summary>
    public const long BatchBytes = 32 << 20;

    /// <summary>A batch's blocks are held until a disk has them, which may take its time: the rest of the pool is for computing.</summary>
    public const int ShareOfPool = 4;

    readonly object _gate = new();
    readonly Queue<(BlockKey Key, bool IsUse)> _queue = new();
    readonly HashSet<BlockKey> _queued = []; // to be written
    readonly int _poolShare = device.Counts.Total / ShareOfPool;
    Thread? _thread;
    bool _writing, _stopping;
    int _atWork; // blocks of the batch that is being written

    /// <summary>The tier.</summary>
    public ITier Target => tier;

    /// <summary>Asks for a block to be written, unless it waits already. Returns at once.</summary>
    public void Add(BlockKey key)
    {
        lock (_gate)
            if (_queue.Count == MostQueued)
                Drop(1);
            else if (_queued.Add(key))
                Enqueue(key, isUse: false);
    }

    /// <summary>A block was used: the tier hears of it after what was added before. Returns at once.</summary>
    public void Touch(BlockKey key)
    {
        lock (_gate)
            if (_queue.Count < MostQueued)
                Enqueue(key, isUse: true);
    }

    void Enqueue(BlockKey key, bool isUse)
    {
        _queue.Enqueue((key, isUse));
        if (_thread is null)
            (_thread = new Thread(Work) { IsBackground = true, Name = $"kvasir to {tier.Tier.Name()}" }).Start();
        Monitor.PulseAll(_gate);
    }

    /// <summary>Waits until everything in the queue is written or dropped; false when the time is over before.</summary>
    public bool Flush(TimeSpan patience)
    {
        long start = time.GetTimestamp();
        lock (_gate)
        {
            while (_queue.Count > 0 || _writing)
            {
                TimeSpan rest = patience - time.GetElapsedTime(start);
                if (rest <= TimeSpan.Zero)
                    return false;
                Monitor.Wait(_gate, rest);
            }
            return true;
        }
    }

    /// <summary>Blocks that wait to be written, or are being written.</summary>
    public int Unwritten
    {
        get
        {
            lock (_gate)
                return _queued.Count + _atWork;
        }
    }

    /// <summary>Ends the thread after the batch that it is at; what waits is dropped.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.PulseAll(_gate);
        }
        _thread?.Join();
    }

    void Work()
    {
        List<BlockKey> uses = [], batch = [];
        while (Next(uses, batch))
        {
            uses.ForEach(tier.Touch);
            Write(batch);
            lock (_gate)
            {
                (_writing, _atWork) = (false, 0);
                Monitor.PulseAll(_gate);
            }
        }
    }

    /// <summary>
    /// Takes what is next: blocks to write, and uses that come before them. A tier that takes all that is computed hears all in its order,
    /// block by block, and holds no more of the pool than that one; for others many are written at once.
    /// </summary>
    bool Next(List<BlockKey> uses, List<BlockKey> batch)
    {
        uses.Clear();
        batch.Clear();
        long most = tier.Admission == Admission.WhenFull ? 1 : Math.Max(1, Math.Min(BatchBytes / device.Layout.StrideBytes, _poolShare));
        lock (_gate)
        {
            while (_queue.Count == 0 && !_stopping)
                Monitor.Wait(_gate);
            if (_stopping)
                return false;
            while (batch.Count < most && _queue.TryDequeue(out (BlockKey Key, bool IsUse) next))
            {
                (next.IsUse ? uses : batch).Add(next.Key);
                if (!next.IsUse)
                    _queued.Remove(next.Key);
            }
            (_writing, _atWork) = (true, batch.Count);
            return true;
        }
    }

    void Write(List<BlockKey> keys)
    {
        if (keys.Count == 0)
            return;
        List<TierLease> leases = [];
        List<BlockWrite> writes = [];
        keys.Reverse(); // they come deepest first; a tier takes those of a chain in their order, and the last as the deepest
        foreach (BlockKey key in keys)
            if (!tier.Contains(key) && Lease(key) is { } lease)
            {
                leases.Add(lease);
                writes.Add(new BlockWrite(lease.Key, lease.Parent, lease.Tokens.ToArray(), (nint)lease.Address));
            }
        long start = time.GetTimestamp();
        int written = tier.Write(CollectionsMarshal.AsSpan(writes));
        if (written > 0)
            traffic.Moved(Tier.Device, tier.Tier, written * device.Layout.BlockBytes, time.GetElapsedTime(start));
        foreach (TierLease lease in leases)
            lease.Dispose();
        CacheCounters.Written(tier, written);
        Drop(writes.Count(write => !tier.Contains(write.Key))); // others may have been faster with some
    }

    /// <summary>The block in the pool, or a copy as it was computed; null, and counted, when memory has it no more.</summary>
    TierLease? Lease(BlockKey key)
    {
        if (TierLease.TryRead(device, key) is { } lease)
            return lease;
        foreach (ITier other in warmer)
            if (other.IsLossless && other.TryRead(key) is { } copy) // what a lossy codec made of a block goes no further
                return copy;
        if (last?.Invoke(key) is { } found)
            return found;
        Drop(1);
        return null;
    }

    /// <summary>Counts blocks that were not written: gone before their turn, refused by the tier, or one too many in the queue.</summary>
    void Drop(int blocks)
    {
        KvCacheMetrics.Dropped(tier.Tier.Name(), blocks);
        if (blocks > 0)
            CacheCounters.Dropped(tier, blocks);
    }
}
