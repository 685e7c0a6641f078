using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;

namespace Kvasir.KvCache.Streaming;

/// <summary>
/// Writes blocks to the disk before the pool needs their room, on a thread of its own, so that nobody waits for a disk while there is any.
/// The queue holds keys, not blocks: a sequence may end at any time, and what has left the pool when its turn comes is not written.
/// </summary>
sealed unsafe class StreamWriter : IDisposable
{
    /// <summary>Blocks that wait at most.</summary>
    public const int MostQueued = 2 * StreamFile.MostAtOnce;

    readonly object _gate = new();
    readonly StreamFile _file;
    readonly BlockPool _device;
    readonly Queue<BlockKey> _queue = new();
    readonly HashSet<BlockKey> _known = []; // in the queue, or being written
    readonly int _mostAtOnce;
    Thread? _thread;
    bool _stopping;

    internal StreamWriter(StreamFile file, BlockPool device) =>
        (_file, _device, _mostAtOnce) = (file, device, Math.Clamp(device.Counts.Total / WriteBack.ShareOfPool, 1, StreamFile.MostAtOnce));

    /// <summary>Blocks that were written here.</summary>
    public long Written { get; private set; }

    /// <summary>Asks for a block to be written, unless it is, or as many wait already as may. Returns at once.</summary>
    public void Add(BlockKey key)
    {
        lock (_gate)
        {
            if (_stopping || _known.Count == MostQueued || !_known.Add(key))
                return;
            _queue.Enqueue(key);
            if (_thread is null)
                (_thread = new Thread(Work) { IsBackground = true, Name = "kvasir stream writer" }).Start();
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Waits until none of some blocks waits any more, or none at all; returns whether one did.</summary>
    public bool WaitFor(Predicate<BlockKey> which)
    {
        lock (_gate)
        {
            bool any = Waits();
            while (Waits())
                Monitor.Wait(_gate);
            return any;
        }

        bool Waits() => !_stopping && _known.Any(key => which(key));
    }

    /// <summary>Ends the thread after what it is at.</summary>
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
        while (Next() is { Count: > 0 } keys)
        {
            Write(keys);
            lock (_gate)
            {
                keys.ForEach(key => _known.Remove(key));
                Monitor.PulseAll(_gate);
            }
        }
    }

    /// <summary>What is next; null at the end.</summary>
    List<BlockKey>? Next()
    {
        lock (_gate)
        {
            while (_queue.Count == 0 && !_stopping)
                Monitor.Wait(_gate);
            List<BlockKey> keys = [];
            while (!_stopping && keys.Count < _mostAtOnce && _queue.TryDequeue(out BlockKey key))
                keys.Add(key);
            return _stopping ? null : keys;
        }
    }

    void Write(List<BlockKey> keys)
    {
        List<TierLease> leases = [];
        List<BlockWrite> writes = [];
        foreach (BlockKey key in keys)
            if (!_file.Contains(key) && TierLease.TryRead(_device, key) is { } lease)
            {
                leases.Add(lease);
                writes.Add(new BlockWrite(lease.Key, lease.Parent, lease.Tokens.ToArray(), (nint)lease.Address));
            }
        if (writes.Count > 0)
            foreach (BlockLease written in _file.Write([.. writes]))
            {
                Written++;
                written.Dispose(); // whoever moves the block out finds it
            }
        leases.ForEach(lease => lease.Dispose());
    }
}
