using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;

namespace Kvasir.Planning.Simulation;

/// <summary>
/// The store that all machines fill and read: its books, the way to it, and what goes over it. Like <see cref="WriteBack"/>, a machine
/// writes in its own time, in batches, and drops what has left its memory when its turn comes.
/// </summary>
sealed class SharedStore
{
    readonly StoreOptions _options;
    readonly long _blockBytes;
    readonly int _batch;
    readonly bool _isInstant;
    long _requests, _bytesRead, _bytesWritten, _peakBlocks, _dropped, _tooLate;
    long _second, _inSecond, _mostInSecond;

    public SharedStore(SimulatedTier tier, SimulationOptions options, long blockBytes, int mostBlocks)
    {
        (_options, _blockBytes, _isInstant) = (options.Store, blockBytes, options.IsInstant);
        Tier = tier;
        Books = new TierBooks(tier, blockBytes, mostBlocks);
        Link = new Link(tier.BytesPerS, options.Store.BytesPerS);
        _batch = (int)Math.Max(1, Math.Min(WriteBack.BatchBytes, options.Tiers[0].Bytes / WriteBack.ShareOfPool) / blockBytes);
    }

    public SimulatedTier Tier { get; }

    public TierBooks Books { get; }

    /// <summary>The way to it.</summary>
    public Link Link { get; }

    /// <summary>It is asked about a prompt.</summary>
    public void Ask(double now) => Count(1, now);

    /// <summary>Blocks begin to come.</summary>
    public Transfer Read(Machine machine, int blocks, double now, Action<double> over)
    {
        Count(RequestsFor(blocks), now);
        _bytesRead += blocks * _blockBytes;
        return Link.Begin(machine, blocks * _blockBytes, now, over);
    }

    /// <summary>Blocks come, and nobody else's do meanwhile; returns the seconds that they take.</summary>
    public double ReadAlone(int blocks, double now)
    {
        Count(RequestsFor(blocks), now);
        _bytesRead += blocks * _blockBytes;
        return Tier.Latency.TotalSeconds + Link.SecondsAlone(blocks * _blockBytes);
    }

    /// <summary>Computing was begun, or begun again, without waiting for it any longer.</summary>
    public void WasTooLate() => _tooLate++;

    /// <summary>Blocks that a request of a machine has used or left, the deepest first, are to be there, and to count as used.</summary>
    public void Write(Machine machine, List<UsedBlock> blocks, double now)
    {
        int room = WriteBack.MostQueued - machine.Unwritten.Count;
        _dropped += Math.Max(0, blocks.Count - room);
        foreach (UsedBlock block in blocks.Take(room))
            machine.Unwritten.Enqueue(block);
        if (!machine.IsWriting)
            WriteNext(machine, now);
    }

    void WriteNext(Machine machine, double now)
    {
        machine.IsWriting = false;
        while (!machine.IsWriting && machine.Unwritten.Count > 0)
        {
            (List<UsedBlock> batch, List<BlockLease> leases) = TakeBatch(machine);
            if (_isInstant || leases.Count == 0)
                Sent(batch, leases, now);
            else
            {
                machine.IsWriting = true;
                int generation = machine.Generation;
                Link.Begin(machine, leases.Count * _blockBytes, now, end =>
                {
                    if (machine.Generation != generation)
                        return; // it was lost, and a value is written whole or not at all
                    Sent(batch, leases, end);
                    WriteNext(machine, end);
                });
            }
        }
    }

    /// <summary>Takes what is next, and holds those of it that have to be sent.</summary>
    (List<UsedBlock> Batch, List<BlockLease> Leases) TakeBatch(Machine machine)
    {
        List<UsedBlock> batch = [];
        List<BlockLease> leases = [];
        while (leases.Count < _batch && machine.Unwritten.TryDequeue(out UsedBlock block))
            if (Books.Pool.Contains(block.Key))
                batch.Add(block);
            else if (block.Home.Read(block.Key) is { } lease)
            {
                batch.Add(block);
                leases.Add(lease);
            }
            else
                _dropped++;
        return (batch, leases);
    }

    void Sent(List<UsedBlock> batch, List<BlockLease> leases, double now)
    {
        Count(RequestsFor(leases.Count), now);
        _bytesWritten += leases.Count * _blockBytes;
        leases.ForEach(lease => lease.Dispose());
        Written(batch);
    }

    void Written(List<UsedBlock> batch)
    {
        foreach (UsedBlock block in batch)
            Books.UseOrAdd(block.Key, block.Parent, _blockBytes);
        PoolCounts counts = Books.Pool.Counts;
        _peakBlocks = Math.Max(_peakBlocks, counts.Total - counts.Free);
    }

    long RequestsFor(int blocks) => (blocks * _blockBytes + _options.ValueBytes - 1) / _options.ValueBytes;

    void Count(long requests, double now)
    {
        _requests += requests;
        if ((long)now != _second)
            (_second, _inSecond) = ((long)now, 0);
        _mostInSecond = Math.Max(_mostInSecond, _inSecond += requests);
    }

    public StoreResult Result(TimeSpan time)
    {
        StoreResult traffic = new(_bytesRead, _bytesWritten, _peakBlocks * _blockBytes, _requests,
            _requests / Math.Max(1, time.TotalSeconds), _mostInSecond, _tooLate, _dropped, Price: 0);
        return traffic with { Price = _options.Price(Tier.Bytes, traffic, time) };
    }
}

/// <summary>A block that a request has used or left.</summary>
/// <param name="Key">Which.</param>
/// <param name="Parent">The one before it.</param>
/// <param name="Home">In whose memory it is.</param>
readonly record struct UsedBlock(BlockKey Key, BlockKey Parent, Machine Home);
