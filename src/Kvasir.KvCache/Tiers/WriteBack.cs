using System.Diagnostics;
using System.Runtime.InteropServices;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.KvCache.Tiers;

/// <summary>
/// Writes blocks to the disk on a thread of its own. The queue holds keys, not blocks: a block that has left memory when its turn comes is dropped and
/// counted, so writing never holds memory back and nobody ever waits for it.
/// </summary>
sealed unsafe class WriteBack : IDisposable
{
    const int MostQueued = 1 << 16;
    const long BatchBytes = 32 << 20;

    readonly object _gate = new();
    readonly Queue<BlockKey> _queue = new();
    readonly HashSet<BlockKey> _queued = [];
    readonly BlockPool _device;
    readonly BlockPool? _host;
    readonly DiskTier _disk;
    readonly TierTraffic _traffic;
    Thread? _thread;
    bool _writing, _stopping;

    public WriteBack(BlockPool device, BlockPool? host, DiskTier disk, TierTraffic traffic) => (_device, _host, _disk, _traffic) = (device, host, disk, traffic);

    /// <summary>Asks for a block to be written, unless it waits already.</summary>
    public void Add(BlockKey key)
    {
        lock (_gate)
        {
            if (_queue.Count == MostQueued)
                Drop(1);
            else if (_queued.Add(key))
                _queue.Enqueue(key);
            if (_thread is null)
                (_thread = new Thread(Work) { IsBackground = true, Name = "kvasir write-back" }).Start();
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Waits until everything in the queue is written or dropped; false when the time is over before.</summary>
    public bool Flush(TimeSpan patience)
    {
        DateTime deadline = DateTime.UtcNow + patience;
        lock (_gate)
        {
            while (_queue.Count > 0 || _writing)
            {
                TimeSpan rest = deadline - DateTime.UtcNow;
                if (rest <= TimeSpan.Zero)
                    return false;
                Monitor.Wait(_gate, rest);
            }
            return true;
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
        List<BlockKey> batch = [];
        int most = (int)Math.Max(1, BatchBytes / _device.Layout.StrideBytes);
        while (Next(batch, most))
        {
            Write(batch);
            lock (_gate)
            {
                _writing = false;
                Monitor.PulseAll(_gate);
            }
        }
    }

    bool Next(List<BlockKey> batch, int most)
    {
        batch.Clear();
        lock (_gate)
        {
            while (_queue.Count == 0 && !_stopping)
                Monitor.Wait(_gate);
            if (_stopping)
                return false;
            while (batch.Count < most && _queue.TryDequeue(out BlockKey key))
            {
                _queued.Remove(key);
                batch.Add(key);
            }
            _writing = true;
            return true;
        }
    }

    void Write(List<BlockKey> keys)
    {
        List<BlockLease> leases = [];
        List<BlockWrite> writes = [];
        keys.Reverse(); // they come deepest first; on the disk they lie in their order, and the tier takes the last as the deepest
        foreach (BlockKey key in keys)
            if (!_disk.Contains(key) && Lease(key) is { } lease)
            {
                leases.Add(lease);
                writes.Add(new BlockWrite(lease.Key, lease.Parent, lease.Tokens.ToArray(), (nint)lease.Address));
            }
        long start = Stopwatch.GetTimestamp();
        int written = _disk.Write(CollectionsMarshal.AsSpan(writes));
        if (written > 0)
            _traffic.Moved(Tier.Device, Tier.Disk, written * _device.Layout.BlockBytes, Stopwatch.GetElapsedTime(start));
        foreach (BlockLease lease in leases)
            lease.Dispose();
        _disk.Count("write.blocks", written);
        Drop(writes.Count(write => !_disk.Contains(write.Key))); // others may have been faster with some
    }

    /// <summary>The block in the pool, or a host copy as it was computed; null, and counted, when memory has it no more.</summary>
    BlockLease? Lease(BlockKey key)
    {
        if (_device.TryRead(key) is { } lease)
        {
            if (lease.Load is null && !lease.HasFailed) // in this order: it fails before its load ends
                return lease;
            lease.Dispose(); // still on its way from the host
        }
        if (_host?.TryRead(key) is { } copy)
        {
            if (copy.Layout.Codec == _device.Layout.Codec)
                return copy;
            copy.Dispose(); // what a lossy codec made of a block does not go to the disk
        }
        Drop(1);
        return null;
    }

    /// <summary>Counts blocks that were not written: gone before their turn, refused by the disk, or one too many in the queue.</summary>
    void Drop(int blocks)
    {
        KvCacheMetrics.Dropped(blocks);
        if (blocks > 0)
            _disk.Count("write.dropped", blocks);
    }
}
