using System.Collections.Immutable;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Metrics;
using Kvasir.KvCache.Prefixes;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>
/// Blocks on a local disk, which survive the process: one model's view of a directory that other models and processes share. All
/// processes read and all write, in turn. Nothing that goes wrong with the disk is an exception here: reads are misses, writes are
/// dropped, and both are counted. Thread-safe.
/// </summary>
public sealed unsafe partial class DiskTier : IDurableTier
{
    /// <summary>A group of layers is at least so large: smaller ones a disk reads more slowly than it could.</summary>
    public const long LeastGroupBytes = 256 << 10;

    const int MostNewRoots = 1024;

    [ThreadStatic]
    static NativeBuffer? t_header;

    readonly DiskTierOptions _options;
    readonly SlotHeader _header;
    readonly ImmutableArray<LayerGroup> _groups;
    readonly DiskBooks _books;
    readonly DiskWriter? _writer;
    readonly CircuitBreaker _circuit;
    readonly Lock _writing = new();
    readonly HashSet<BlockKey> _newRoots = [];
    readonly Dictionary<CounterName, long> _newCounts = [];
    readonly LoadThreads _threads;
    readonly long _stride;
    volatile bool _refused; // nothing may be written
    int _disposed;

    DiskTier(DiskTierOptions options, KvLayout layout, Fingerprint fingerprint, string modelName, bool canWrite)
    {
        (_options, Fingerprint, _circuit) = (options, fingerprint, new CircuitBreaker(options.Time));
        (_stride, _threads) = (layout.StrideBytes, new LoadThreads(Tier, Bring));
        _groups = LayerGroup.Of(layout, LeastGroupBytes);
        _header = new SlotHeader(layout, fingerprint, _groups);
        _books = new DiskBooks(options, _header.Bytes + layout.StrideBytes, canWrite);
        try
        {
            _writer = canWrite ? new DiskWriter(options, layout, _header, _books, fingerprint, modelName) : null;
            _books.Refresh();
        }
        catch
        {
            _writer?.Dispose(); // what is set aside next must not stay open
            _books.Dispose();
            throw;
        }
    }

    /// <summary>What, besides tokens, determines this model's blocks.</summary>
    public Fingerprint Fingerprint { get; }

    /// <summary>Where it is and how large it may become.</summary>
    public DiskTierOptions Options => _options;

    /// <inheritdoc/>
    public Tier Tier => Tier.Disk;

    /// <inheritdoc/>
    public bool IsLossless => true;

    /// <inheritdoc/>
    public Admission Admission => _options.Admission;

    /// <inheritdoc/>
    public bool CanWrite => _writer is not null && !_refused;

    /// <inheritdoc/>
    public string? Problem { get; private set; }

    /// <summary>Blocks of this slot size, of all models.</summary>
    public int Blocks => _books.Blocks;

    /// <summary>Blocks that had to give way since the tier was opened.</summary>
    public long Evictions => _writer?.Evictions ?? 0;

    /// <summary>Takes in what other processes have written or evicted; does next to nothing when they have not.</summary>
    public void Refresh() => Guard(() => _books.Refresh());

    /// <summary>
    /// Finds a block to be read: whether it is as it should be, reading it will tell. While the disk fails time and again, there is none.
    /// </summary>
    public bool TryFind(BlockKey key, out int slot)
    {
        slot = -1;
        return !_circuit.IsOpen && _books.TryFind(key, out slot);
    }

    /// <inheritdoc/>
    public bool Contains(BlockKey key) => _books.TryFind(key, out _);

    /// <inheritdoc/>
    public void Load(BlockLoad load) => _threads.Start(load);

    void Bring(BlockLoad load, LoadedBlock block, int group)
    {
        bool failed = block.Outcome == ReadOutcome.Ok
            && Read((int)block.Place, block.Key, block.Parent, block.Tokens, group, block.Destination) is not ReadOutcome.Ok and var outcome
            && load.Fail(block, outcome);
        if (failed)
        {
            KvCacheMetrics.Corrupt(Tier.Name(), block.Outcome.Name());
            Forget((int)block.Place, block.Key); // before anybody is told, or what is computed instead would not be written
        }
        load.Done(block, group);
        if (failed)
            Discard(block.Key, block.Outcome); // may wait for a writer: after the waiters were told
    }

    /// <summary>Reads a group of layers of a block, and with the first one its header. Any number of threads may read.</summary>
    /// <param name="slot">Where it was found.</param>
    /// <param name="key">Its key.</param>
    /// <param name="parent">The key of the block before it.</param>
    /// <param name="tokens">Its tokens.</param>
    /// <param name="group">Which group.</param>
    /// <param name="destination">The block's memory: <see cref="KvLayout.StrideBytes"/>, at a page.</param>
    public ReadOutcome Read(int slot, BlockKey key, BlockKey parent, ReadOnlySpan<int> tokens, int group, byte* destination)
    {
        if (_books.SegmentOf(slot) is not { } segment)
            return ReadOutcome.Gone;
        NativeBuffer header = t_header is { } buffer && buffer.Bytes >= _header.Bytes ? buffer : t_header = new NativeBuffer(_header.Bytes);
        try
        {
            _options.FaultPoint?.Invoke("read");
            LayerGroup part = _groups[group];
            int bytes = (int)((part.Bytes + KvLayout.PageBytes - 1) / KvLayout.PageBytes * KvLayout.PageBytes);
            if (!ReadBoth(segment, segment.Offset(slot), header, destination + part.Offset, part.Offset, bytes))
                return ReadOutcome.WrongLength;
            _circuit.Succeeded();
            ReadOutcome outcome = _header.Check(header.Span[.._header.Bytes], key, parent, tokens);
            return outcome == ReadOutcome.Ok
                ? _header.CheckGroup(SlotHeader.Checksum(header.Span, group), group, new(destination + part.Offset, bytes))
                : outcome;
        }
        catch (Exception e) when (e is FileNotFoundException or ForeignFileException)
        {
            Problem = e is ForeignFileException ? e.Message : Problem;
            return ReadOutcome.Gone;
        }
        catch (Exception e) // of whatever kind: on the threads that read, it would end the process
        {
            Problem = _circuit.Failed() ? $"{e.Message}; it keeps failing and is left alone for a while" : e.Message;
            return ReadOutcome.IoError;
        }
    }

    /// <inheritdoc/>
    public int Write(ReadOnlySpan<BlockWrite> blocks)
    {
        if (_writer is null || _refused || blocks.IsEmpty)
            return 0;
        lock (_writing)
        {
            try
            {
                int written = _writer.Write(blocks, SaveNews);
                if (Blocks == 0 && _writer.NoRoom is { } lack)
                    Problem = $"{lack}; nothing is kept";
                return written;
            }
            catch (Exception e)
            {
                _refused = e is UnauthorizedAccessException or SqliteException { SqliteErrorCode: raw.SQLITE_READONLY };
                Problem = _refused ? $"{e.Message}; what is there is read, and nothing more is kept" : e.Message;
                _books.Distrust();
                return 0;
            }
        }
    }

    /// <summary>A block was used. Report chains deepest first. Others learn of it with the next write.</summary>
    public void Touch(BlockKey key) => _books.Use(key);

    /// <summary>
    /// Does not find a block that did not come as it should in this process any more: it is to be computed, and written again.
    /// <see cref="Discard(BlockKey, ReadOutcome)"/> then takes it out of the catalogue.
    /// </summary>
    public void Forget(int slot, BlockKey key) => _books.Forget(slot, key);

    /// <summary>Forgets a block that did not come as it should, and frees its slot.</summary>
    public void Discard(int slot, BlockKey key, ReadOutcome outcome)
    {
        Forget(slot, key);
        Discard(key, outcome);
    }

    /// <summary>
    /// Frees the slot of a block that was forgotten, unless somebody, this process or another, has written that block anew
    /// or another one there meanwhile. One that the disk did not give may still be as it should: it keeps its slot.
    /// </summary>
    public void Discard(BlockKey key, ReadOutcome outcome)
    {
        if (_writer is not null && !_refused && outcome != ReadOutcome.IoError)
            lock (_writing)
                Guard(() => _writer.RemoveBad(key));
        Count(CounterName.Corrupt(outcome.Name()), 1);
    }

    /// <inheritdoc/>
    public void AddRoot(BlockKey root)
    {
        lock (_newRoots)
            if (_newRoots.Count < MostNewRoots)
                _newRoots.Add(root);
    }

    /// <inheritdoc/>
    public void Count(CounterName name, long by)
    {
        lock (_newCounts)
            _newCounts[name] = _newCounts.GetValueOrDefault(name) + by;
    }

    /// <inheritdoc/>
    public long Counted(CounterName name) =>
        Guard(() => _books.Query(catalogue => catalogue.Counter($"{name}")));

    /// <summary>Writes down what was used and counted, and closes the files.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _threads.Dispose();
        lock (_writing)
            Guard(Save);
        _lookups.Dispose();
        _writer?.Dispose();
        _books.Dispose();
    }

    void Save()
    {
        if (_writer is null || _refused)
            return;
        using Catalogue.Writing writing = _writer.Catalogue.Write();
        _writer.SaveUse();
        SaveNews(_writer.Catalogue);
        writing.Commit();
    }

    /// <summary>Saves counts and roots; should the transaction fail, they are lost, which costs an explanation.</summary>
    void SaveNews(Catalogue catalogue)
    {
        foreach ((CounterName name, long by) in TakeCounts())
            catalogue.AddTo($"{name}", by);
        BlockKey[] roots = TakeRoots();
        long now = _options.Time.GetUtcNow().ToUnixTimeSeconds();
        foreach (BlockKey root in roots)
            catalogue.Execute(
                "INSERT INTO roots SELECT $0, id, $1 FROM models WHERE fingerprint = $2 ON CONFLICT DO UPDATE SET at = excluded.at",
                root.Digest.ToArray(), now, Fingerprint.Digest.ToArray());
        if (roots.Length > 0)
            catalogue.TrimRoots();
    }

    /// <summary>Nobody who counts may wait for the catalogue: what is new is taken first, and written then.</summary>
    KeyValuePair<CounterName, long>[] TakeCounts()
    {
        lock (_newCounts)
        {
            KeyValuePair<CounterName, long>[] counts = [.. _newCounts];
            _newCounts.Clear();
            return counts;
        }
    }

    BlockKey[] TakeRoots()
    {
        lock (_newRoots)
        {
            BlockKey[] roots = [.. _newRoots];
            _newRoots.Clear();
            return roots;
        }
    }

    /// <summary>Header and group lie side by side only for the first group.</summary>
    bool ReadBoth(Segment segment, long slotOffset, NativeBuffer header, byte* destination, long groupOffset, int bytes)
    {
        if (groupOffset > 0)
            return RandomAccess.Read(segment.ForReading(), header.Span[.._header.Bytes], slotOffset) == _header.Bytes
                && RandomAccess.Read(
                    segment.ForReading(), new Span<byte>(destination, bytes), slotOffset + _header.Bytes + groupOffset) == bytes;
        Memory<byte>[] parts = [new NativeMemoryView(header.Address, _header.Bytes).Memory,
            new NativeMemoryView(destination, bytes).Memory];
        return RandomAccess.Read(segment.ForReading(), parts, slotOffset) == _header.Bytes + bytes;
    }

    void Guard(Action action) => Guard(() =>
    {
        action();
        return 0;
    });

    T? Guard<T>(Func<T> query)
    {
        try
        {
            return query();
        }
        catch (Exception e) // whatever a catalogue can make its library throw
        {
            Problem = e.Message;
            return default;
        }
    }
}
