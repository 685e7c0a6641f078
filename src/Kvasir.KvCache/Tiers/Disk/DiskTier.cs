using System.Collections.Immutable;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Microsoft.Data.Sqlite;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>
/// Blocks on a local disk, which survive the process: one model's view of a directory that other models and processes share. All processes read and all write,
/// in turn. Nothing that goes wrong with the disk is an exception here: reads are misses, writes are dropped, and both are counted. Thread-safe.
/// </summary>
public sealed unsafe partial class DiskTier : IDisposable
{
    const int MostRoots = 64, MostNewRoots = 1024;

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
    readonly Dictionary<string, long> _newCounts = [];
    int _disposed;

    DiskTier(DiskTierOptions options, KvLayout layout, Fingerprint fingerprint, string modelName, bool canWrite)
    {
        (_options, Fingerprint, _circuit) = (options, fingerprint, new CircuitBreaker(options.Time));
        _groups = LayerGroup.Of(layout, TieredKvCache.LeastGroupBytes);
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

    /// <summary>Whether blocks can be written; if not, <see cref="Problem"/> says why.</summary>
    public bool CanWrite => _writer is not null;

    /// <summary>What went wrong last, in one line; null when nothing did.</summary>
    public string? Problem { get; private set; }

    /// <summary>Blocks of this slot size, of all models.</summary>
    public int Blocks => _books.Blocks;

    /// <summary>Blocks that had to give way since the tier was opened.</summary>
    public long Evictions => _writer?.Evictions ?? 0;

    /// <summary>Opens a directory, and makes it if it is missing. A damaged catalogue is set aside, and the directory begins empty.</summary>
    /// <exception cref="IOException">The directory cannot be used at all.</exception>
    public static DiskTier Open(DiskTierOptions options, KvLayout layout, Fingerprint fingerprint, string modelName)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(layout);
        string? problem;
        try
        {
            PrivateFolder.Create(options.Folder);
            return new DiskTier(options, layout, fingerprint, modelName, canWrite: true);
        }
        catch (SqliteException e) when (IsDamage(e))
        {
            problem = SetAside(options.Folder, e.Message);
            return new DiskTier(options, layout, fingerprint, modelName, canWrite: true) { Problem = problem };
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            problem = e.Message;
        }
        try
        {
            return new DiskTier(options, layout, fingerprint, modelName, canWrite: false) { Problem = problem };
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{options.Folder}: cannot be used for keys and values: {problem}", e);
        }
    }

    /// <summary>Takes in what other processes have written or evicted; does next to nothing when they have not.</summary>
    public void Refresh() => Guard(() => _books.Refresh());

    /// <summary>Finds a block to be read: whether it is as it should be, reading it will tell. While the disk fails time and again, there is none.</summary>
    public bool TryFind(BlockKey key, out int slot)
    {
        slot = -1;
        return !_circuit.IsOpen && _books.TryFind(key, out slot);
    }

    /// <summary>Whether a block is there, readable or not.</summary>
    public bool Contains(BlockKey key) => _books.TryFind(key, out _);

    /// <summary>A block's tokens; null when it is not there.</summary>
    public int[]? Tokens(BlockKey key) => Guard(() => _books.Tokens(key));

    /// <summary>Among the blocks that follow one, that which has the most tokens in common with what follows.</summary>
    public TailMatch LongestTail(BlockKey parent, ReadOnlySpan<int> following)
    {
        try
        {
            return _circuit.IsOpen ? default : _books.LongestTail(parent, following);
        }
        catch (SqliteException e)
        {
            Problem = e.Message;
            return default;
        }
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
        catch (FileNotFoundException)
        {
            return ReadOutcome.Gone;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            Problem = _circuit.Failed() ? $"{e.Message}; it keeps failing and is left alone for a while" : e.Message;
            return ReadOutcome.IoError;
        }
    }

    /// <summary>Writes blocks that are not there; returns how many it has written. For one background thread.</summary>
    /// <param name="blocks">The blocks, those of a chain in their order: the last gives way first. Those that they follow count as used.</param>
    public int Write(ReadOnlySpan<BlockWrite> blocks)
    {
        if (_writer is null || blocks.IsEmpty)
            return 0;
        lock (_writing)
        {
            try
            {
                return _writer.Write(blocks, SaveNews);
            }
            catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
            {
                Problem = e.Message;
                _books.Distrust();
                return 0;
            }
        }
    }

    /// <summary>A block was used. Report chains deepest first. Others learn of it with the next write.</summary>
    public void Use(BlockKey key) => _books.Use(key);

    /// <summary>
    /// Does not find a block that did not come as it should in this process any more: it is to be computed, and written again. <see cref="Discard(BlockKey, ReadOutcome)"/> then takes it out
    /// of the catalogue.
    /// </summary>
    public void Forget(int slot, BlockKey key) => _books.Forget(slot, key);

    /// <summary>Forgets a block that did not come as it should, and frees its slot.</summary>
    public void Discard(int slot, BlockKey key, ReadOutcome outcome)
    {
        Forget(slot, key);
        Discard(key, outcome);
    }

    /// <summary>
    /// Frees the slot of a block that was forgotten, unless somebody, this process or another, has written that block anew or another one there meanwhile.
    /// </summary>
    public void Discard(BlockKey key, ReadOutcome outcome)
    {
        if (_writer is not null)
            lock (_writing)
                Guard(() => _writer.RemoveBad(key));
        Count($"corrupt.{outcome}", 1);
    }

    /// <summary>When a block was evicted, if that is remembered.</summary>
    public bool TryGetEvicted(BlockKey key, out DateTimeOffset when)
    {
        long at = Guard(() => _books.Query(catalogue => catalogue.Number("SELECT max(at) FROM evicted WHERE key = $0", key.Digest.ToArray())));
        when = DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(at, 0, DateTimeOffset.MaxValue.ToUnixTimeSeconds()));
        return at > 0;
    }

    /// <summary>Whether any model has a block of a key.</summary>
    public bool Knows(BlockKey key) => Guard(() => _books.Query(catalogue => catalogue.Number("SELECT count(*) FROM blocks WHERE key = $0", key.Digest.ToArray()))) > 0;

    /// <summary>Remembers that sequences begin with a root; known to others with the next write.</summary>
    public void AddRoot(BlockKey root)
    {
        lock (_newRoots)
            if (_newRoots.Count < MostNewRoots)
                _newRoots.Add(root);
    }

    /// <summary>The roots of all models and salts, the newest first.</summary>
    public IReadOnlyList<(BlockKey Root, Fingerprint Fingerprint, string Model)> Roots() => Guard(() => _books.Query(catalogue => catalogue.Rows(
        $"SELECT root, fingerprint, name FROM roots JOIN models ON id = model ORDER BY at DESC LIMIT {MostRoots}",
        reader => (new BlockKey(Catalogue.DigestAt(reader, 0) ?? default), new Fingerprint(Catalogue.DigestAt(reader, 1) ?? default), reader.GetString(2))))) ?? [];

    /// <summary>Adds to a counter that outlives the process.</summary>
    public void Count(string name, long by)
    {
        lock (_newCounts)
            _newCounts[name] = _newCounts.GetValueOrDefault(name) + by;
    }

    /// <summary>A counter, as far as it was saved.</summary>
    public long Counted(string name) => Guard(() => _books.Query(catalogue => catalogue.Number("SELECT value FROM counters WHERE name = $0", name)));

    /// <summary>Writes down what was used and counted, and closes the files.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        lock (_writing)
            Guard(Save);
        _writer?.Dispose();
        _books.Dispose();
    }

    void Save()
    {
        if (_writer is null)
            return;
        using Catalogue.Writing writing = _writer.Catalogue.Write();
        _writer.SaveUse();
        SaveNews(_writer.Catalogue);
        writing.Commit();
    }

    /// <summary>Saves counts and roots; should the transaction fail, they are lost, which costs an explanation.</summary>
    void SaveNews(Catalogue catalogue)
    {
        lock (_newCounts)
        {
            foreach ((string name, long by) in _newCounts)
                catalogue.AddTo(name, by);
            _newCounts.Clear();
        }
        long now = _options.Time.GetUtcNow().ToUnixTimeSeconds();
        lock (_newRoots)
        {
            foreach (BlockKey root in _newRoots)
                catalogue.Execute("INSERT INTO roots SELECT $0, id, $1 FROM models WHERE fingerprint = $2 ON CONFLICT DO UPDATE SET at = excluded.at",
                    root.Digest.ToArray(), now, Fingerprint.Digest.ToArray());
            if (_newRoots.Count > 0)
                catalogue.TrimRoots();
            _newRoots.Clear();
        }
    }

    /// <summary>Header and group lie side by side only for the first group.</summary>
    bool ReadBoth(Segment segment, long slotOffset, NativeBuffer header, byte* destination, long groupOffset, int bytes)
    {
        if (groupOffset > 0)
            return RandomAccess.Read(segment.File(), header.Span[.._header.Bytes], slotOffset) == _header.Bytes
                && RandomAccess.Read(segment.File(), new Span<byte>(destination, bytes), slotOffset + _header.Bytes + groupOffset) == bytes;
        Memory<byte>[] parts = [new NativeMemoryView(header.Address, _header.Bytes).Memory, new NativeMemoryView(destination, bytes).Memory];
        return RandomAccess.Read(segment.File(), parts, slotOffset) == _header.Bytes + bytes;
    }

    static bool IsDamage(SqliteException e) => e.SqliteErrorCode is SQLitePCL.raw.SQLITE_NOTADB or SQLitePCL.raw.SQLITE_CORRUPT or SQLitePCL.raw.SQLITE_ERROR; // the last: a table is missing

    /// <summary>What cannot be read is renamed, for whoever wants to know; the blocks' files go, since nothing says what is in them.</summary>
    static string SetAside(string folder, string why)
    {
        string path = Catalogue.In(folder);
        File.Move(path, path + ".damaged", overwrite: true);
        foreach (string companion in (string[])[path + "-wal", path + "-shm"])
            File.Delete(companion);
        foreach (string segment in Directory.GetFiles(folder, "blocks-*.kv"))
            File.Delete(segment);
        return $"{path}: {why}; it was set aside and the cache began anew";
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
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            Problem = e.Message;
            return default;
        }
    }
}
