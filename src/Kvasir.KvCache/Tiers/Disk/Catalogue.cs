using Kvasir.KvCache.Prefixes;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>
/// The directory's books in SQLite: which block lies in which slot of which file. Rows appear only when what they speak of is on the disk.
/// One connection; not thread-safe.
/// </summary>
sealed class Catalogue : IDisposable
{
    /// <summary>Slots of a segment at most; a place is segment · this + slot.</summary>
    public const long PlacesPerSegment = 1 << 20;

    /// <summary>Evictions that are remembered.</summary>
    const int EvictionsKept = 1 << 16, RootsKept = 1024;

    const int KeysPerQuery = 256, MostFirstSegment = 900_000;
    const string FileName = "catalogue.db";
    const int ApplicationId = 0x4B56_5352, SchemaVersion = 1, Tables = 7;
    const int PatienceSeconds = 2; // another process writes a batch meanwhile

    const string Schema = $"""
        CREATE TABLE models (id INTEGER PRIMARY KEY, fingerprint BLOB NOT NULL UNIQUE, name TEXT NOT NULL, block_tokens INTEGER NOT NULL, block_bytes INTEGER NOT NULL);
        CREATE TABLE roots (root BLOB PRIMARY KEY, model INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE segments (id INTEGER PRIMARY KEY, slot_bytes INTEGER NOT NULL, slots INTEGER NOT NULL);
        CREATE TABLE blocks (place INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, parent BLOB NOT NULL, model INTEGER NOT NULL, tokens BLOB NOT NULL,
            used INTEGER NOT NULL, at INTEGER NOT NULL, change INTEGER NOT NULL);
        CREATE INDEX blocks_change ON blocks (change);
        CREATE INDEX blocks_parent ON blocks (parent);
        CREATE TABLE evicted (change INTEGER NOT NULL, place INTEGER NOT NULL, key BLOB NOT NULL, at INTEGER NOT NULL);
        CREATE INDEX evicted_change ON evicted (change);
        CREATE INDEX evicted_key ON evicted (key);
        CREATE TABLE pins (owner TEXT NOT NULL, key BLOB NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (owner, key)) WITHOUT ROWID;
        CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        """;

    /// <summary>Whether a block lies in a segment, as a range that an index can find.</summary>
    public const string InSegment = "place BETWEEN segments.id * 1048576 AND segments.id * 1048576 + 1048575";

    readonly SqliteConnection _connection;

    Catalogue(SqliteConnection connection, bool canWrite) => (_connection, CanWrite) = (connection, canWrite);

    /// <summary>Whether rows can be written.</summary>
    public bool CanWrite { get; }

    /// <summary>Is called before each statement, and may wait or throw: for tests.</summary>
    public Action? FaultPoint { get; init; }

    /// <summary>The catalogue's file.</summary>
    public static string In(string folder) => Path.Combine(folder, FileName);

    /// <summary>Opens the catalogue of a directory, or makes it.</summary>
    /// <exception cref="SqliteException">It is no catalogue, damaged, or of another version.</exception>
    public static Catalogue Open(string folder, bool canWrite, Action? faultPoint = null)
    {
        string path = In(folder);
        // Only when it is missing: closing any handle of a file drops all POSIX locks that the process has on it, SQLite's
        // on another connection included.
        if (canWrite && !OperatingSystem.IsWindows() && !File.Exists(path))
            File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite).Dispose();
        if (canWrite && !OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite); // its companions take over the mode
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            // A directory that cannot be written to has no place for what readers of a changing file need; so it must not change.
            DataSource = canWrite ? path : $"file:{Uri.EscapeDataString(path).Replace("%2F", "/", StringComparison.Ordinal)}?immutable=1",
            Mode = canWrite ? SqliteOpenMode.ReadWriteCreate : SqliteOpenMode.ReadOnly,
            Pooling = false,
        }.ToString());
        try
        {
            connection.Open();
            var catalogue = new Catalogue(connection, canWrite) { FaultPoint = faultPoint };
            catalogue.Prepare();
            return catalogue;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    void Prepare()
    {
        Execute($"PRAGMA busy_timeout = {PatienceSeconds * 1000}");
        if (CanWrite)
        {
            Execute("PRAGMA journal_mode = WAL");
            // Data is flushed before its row is written, so a process may die at any time. A power failure may undo the last commits: rows
            // are missing, or rows of blocks that gave way are back although others lie in their slots by now, which their headers tell. To
            // flush each commit would buy nothing more.
            Execute("PRAGMA synchronous = NORMAL");
            using Writing writing = Write();
            if (Number("PRAGMA user_version") == 0 && Number("SELECT count(*) FROM sqlite_schema") == 0)
            {
                Execute(Schema);
                // From anywhere: a process that still has the files of a catalogue which was set aside must not take
                // those of the new one for them.
                RaiseTo("segment", Random.Shared.Next(1, MostFirstSegment));
                Execute($"PRAGMA application_id = {ApplicationId}");
                Execute($"PRAGMA user_version = {SchemaVersion}");
            }
            writing.Commit();
        }
        const string tables =
            "SELECT count(*) FROM sqlite_schema WHERE name IN ('models', 'roots', 'segments', 'blocks', 'evicted', 'pins', 'counters')";
        if (Number("PRAGMA application_id") != ApplicationId || Number("PRAGMA user_version") != SchemaVersion || Number(tables) != Tables)
            throw new SqliteException($"{FileName} is no catalogue of version {SchemaVersion}", raw.SQLITE_NOTADB);
    }

    /// <summary>
    /// From now on, gives up when another process writes for more than two seconds. Before, while the directory is opened, it waits for
    /// half a minute, as the connection does by itself: whoever is turned away then never writes.
    /// </summary>
    public void BeImpatient() => _connection.DefaultTimeout = PatienceSeconds;

    /// <summary>Takes the directory's one right to write; what is not committed is undone.</summary>
    /// <exception cref="SqliteException">Another process keeps it for too long.</exception>
    public Writing Write()
    {
        Execute("BEGIN IMMEDIATE");
        return new Writing(this);
    }

    /// <summary>Runs a statement.</summary>
    /// <param name="sql">The statement, with parameters <c>$0</c>, <c>$1</c>, …</param>
    /// <param name="values">Their values.</param>
    public int Execute(string sql, params ReadOnlySpan<object> values)
    {
        using SqliteCommand command = Command(sql, values);
        return command.ExecuteNonQuery();
    }

    /// <summary>The number that a query gives; 0 when it gives none.</summary>
    public long Number(string sql, params ReadOnlySpan<object> values)
    {
        using SqliteCommand command = Command(sql, values);
        return command.ExecuteScalar() is long number ? number : 0;
    }

    /// <summary>The rows that a query gives, each made by a function.</summary>
    public List<T> Rows<T>(string sql, Func<SqliteDataReader, T> row, params ReadOnlySpan<object> values)
    {
        using SqliteCommand command = Command(sql, values);
        using SqliteDataReader reader = command.ExecuteReader();
        List<T> rows = [];
        while (reader.Read())
            rows.Add(row(reader));
        return rows;
    }

    /// <summary>
    /// Goes through the rows that a query gives for keys, which it names as <c>{keys}</c>. Loops, where LINQ over keys would be as short:
    /// a process that asks once and ends would spend its time compiling that.
    /// </summary>
    void ForRowsOf(string sql, IReadOnlyList<BlockKey> keys, Action<SqliteDataReader> each)
    {
        for (int start = 0; start < keys.Count; start += KeysPerQuery)
        {
            object[] digests = new object[Math.Min(KeysPerQuery, keys.Count - start)];
            string[] names = new string[digests.Length];
            for (int i = 0; i < digests.Length; i++)
                (digests[i], names[i]) = (keys[start + i].Digest.ToArray(), $"${i}");
            using SqliteCommand command = Command(sql.Replace("{keys}", string.Join(", ", names), StringComparison.Ordinal), digests);
            using SqliteDataReader reader = command.ExecuteReader();
            while (reader.Read())
                each(reader);
        }
    }

    /// <summary>Which of some keys any model has a block of.</summary>
    public HashSet<BlockKey> Present(IReadOnlyList<BlockKey> keys)
    {
        HashSet<BlockKey> present = [];
        ForRowsOf("SELECT key FROM blocks WHERE key IN ({keys})", keys, reader => present.Add(KeyAt(reader)));
        return present;
    }

    /// <summary>When blocks were evicted, of those of which that is remembered.</summary>
    public Dictionary<BlockKey, DateTimeOffset> Evicted(IReadOnlyList<BlockKey> keys)
    {
        Dictionary<BlockKey, DateTimeOffset> evicted = [];
        ForRowsOf("SELECT key, max(at) FROM evicted WHERE key IN ({keys}) GROUP BY key", keys,
            reader => evicted[KeyAt(reader)] = DateTimeOffset.FromUnixTimeSeconds(
                Math.Clamp(reader.GetInt64(1), 0, DateTimeOffset.MaxValue.ToUnixTimeSeconds())));
        return evicted;
    }

    /// <summary>The tokens of blocks.</summary>
    public Dictionary<BlockKey, int[]> Tokens(IReadOnlyList<BlockKey> keys)
    {
        Dictionary<BlockKey, int[]> tokens = [];
        ForRowsOf("SELECT key, tokens FROM blocks WHERE key IN ({keys})", keys,
            reader => tokens[KeyAt(reader)] = TokenBlob.Read(reader.GetValue(1) as byte[]));
        return tokens;
    }

    static BlockKey KeyAt(SqliteDataReader reader) => new(DigestAt(reader, 0) ?? default);

    /// <summary>A digest in a column; null when it is none.</summary>
    public static Digest? DigestAt(SqliteDataReader reader, int column) =>
        reader.GetValue(column) is byte[] { Length: Digest.Size } bytes ? new Digest(bytes) : null;

    /// <summary>
    /// Goes through the blocks that changed after a number of changes, as fast as SQLite gives them: a catalogue may have a million.
    /// </summary>
    public void ForEachBlock(long after, Action<StoredBlock> each)
    {
        sqlite3 database = _connection.Handle!;
        const string sql = "SELECT place, key, parent, used, change FROM blocks WHERE change > ?";
        Check(raw.sqlite3_prepare_v2(database, sql, out sqlite3_stmt statement));
        using (statement)
        {
            raw.sqlite3_bind_int64(statement, 1, after);
            int result;
            while ((result = raw.sqlite3_step(statement)) == raw.SQLITE_ROW)
            {
                ReadOnlySpan<byte> key = raw.sqlite3_column_blob(statement, 1), parent = raw.sqlite3_column_blob(statement, 2);
                if (key.Length == Digest.Size && parent.Length == Digest.Size)
                    each(new StoredBlock(raw.sqlite3_column_int64(statement, 0), new BlockKey(new Digest(key)),
                        new BlockKey(new Digest(parent)), raw.sqlite3_column_int64(statement, 3),
                        raw.sqlite3_column_int64(statement, 4)));
            }
            if (result != raw.SQLITE_DONE)
                Check(result);
        }
    }

    /// <summary>Deletes the row of a block that gives way, and remembers that.</summary>
    public void Evict(BlockKey key, long place, long change, DateTimeOffset when)
    {
        Execute("DELETE FROM blocks WHERE place = $0", place);
        Execute("INSERT INTO evicted VALUES ($0, $1, $2, $3)", change, place, key.Digest.ToArray(), when.ToUnixTimeSeconds());
    }

    /// <summary>
    /// Deletes the rows of a segment and of all its blocks; returns how many blocks that were. The file is to be deleted after the commit.
    /// </summary>
    public int DropSegment(long segment, DateTimeOffset when)
    {
        (long first, long last) = (segment * PlacesPerSegment, (segment + 1) * PlacesPerSegment - 1);
        int blocks = Execute("INSERT INTO evicted SELECT $0, place, key, $1 FROM blocks WHERE place BETWEEN $2 AND $3", NextChange(),
            when.ToUnixTimeSeconds(), first, last);
        Execute("DELETE FROM blocks WHERE place BETWEEN $0 AND $1", first, last);
        Execute("DELETE FROM segments WHERE id = $0", segment);
        return blocks;
    }

    /// <summary>Segments without a pinned block, the one first whose blocks were all unused for longest.</summary>
    /// <param name="now">The time, for pins that have ended.</param>
    /// <param name="otherThan">Leaves out those of a slot size.</param>
    /// <param name="before">Leaves out those that were used at this number or after.</param>
    public List<long> ColdestSegments(DateTimeOffset now, long otherThan = -1, long before = long.MaxValue) => Rows($"""
        SELECT id FROM segments LEFT JOIN blocks ON {InSegment} WHERE slot_bytes <> $1 GROUP BY id
        HAVING coalesce(max(used), 0) < $2 AND sum(key IN (SELECT key FROM pins WHERE until > $0)) IS NOT TRUE ORDER BY max(used)
        """, reader => reader.GetInt64(0), now.ToUnixTimeSeconds(), otherThan, before);

    /// <summary>Segments without a block.</summary>
    public List<long> EmptySegments() =>
        Rows($"SELECT id FROM segments WHERE NOT EXISTS (SELECT * FROM blocks WHERE {InSegment})", reader => reader.GetInt64(0));

    /// <summary>Bytes of all segments.</summary>
    public long SegmentBytes() => Number("SELECT sum(slot_bytes * slots) FROM segments");

    /// <summary>
    /// Drops the coldest segments until the rest is no larger than a size, but none with a pinned block; returns how many blocks that were.
    /// </summary>
    public int Shrink(long maxBytes, DateTimeOffset when)
    {
        int blocks = 0;
        if (SegmentBytes() > maxBytes)
            foreach (long id in ColdestSegments(when))
                if (SegmentBytes() > maxBytes)
                    blocks += DropSegment(id, when);
        return blocks;
    }

    /// <summary>Drops the segments whose files somebody has deleted; returns how many blocks that were.</summary>
    public int DropVanished(string folder, DateTimeOffset when) =>
        Rows("SELECT id FROM segments", reader => reader.GetInt64(0)).Where(id => !File.Exists(Segment.PathOf(folder, id)))
            .Sum(id => DropSegment(id, when));

    /// <summary>
    /// Deletes segments' files that no row speaks of: of a process that died between a commit and a deletion, or while it made one. Takes
    /// the right to write, since a file that another process is just making has no row yet.
    /// </summary>
    public void DeleteStrayFiles(string folder)
    {
        using Writing writing = Write();
        HashSet<string> known =
            [.. Rows("SELECT id FROM segments", reader => Path.GetFileName(Segment.PathOf(folder, reader.GetInt64(0))))];
        foreach (string file in Directory.GetFiles(folder, "blocks-*.kv"))
            if (!known.Contains(Path.GetFileName(file)))
                Segment.Delete(file);
    }

    /// <summary>Forgets all but the newest roots: whoever makes up salts must not make this table grow.</summary>
    public void TrimRoots() => Execute($"DELETE FROM roots WHERE root NOT IN (SELECT root FROM roots ORDER BY at DESC LIMIT {RootsKept})");

    /// <summary>Forgets the oldest evictions.</summary>
    public void TrimEvicted()
    {
        string oldest = $"FROM evicted WHERE rowid <= (SELECT max(rowid) FROM evicted) - {EvictionsKept}";
        RaiseTo("trimmed", Number($"SELECT max(change) {oldest}"));
        Execute($"DELETE {oldest}");
    }

    /// <summary>The number of the next change. To be asked for within a <see cref="Write"/>.</summary>
    public long NextChange()
    {
        AddTo("change", 1);
        return Number("SELECT value FROM counters WHERE name = 'change'");
    }

    /// <summary>
    /// The number of the next segment. Numbers are not used twice: another process may still have the file of the first open.
    /// </summary>
    public long NextSegment()
    {
        RaiseTo("segment", Number("SELECT max(id) FROM segments")); // should the counter be wrong
        AddTo("segment", 1);
        return Number("SELECT value FROM counters WHERE name = 'segment'");
    }

    /// <summary>Adds to a counter.</summary>
    public void AddTo(string counter, long amount) =>
        Execute("INSERT INTO counters VALUES ($0, $1) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value", counter, amount);

    /// <summary>Sets a counter to a value, unless it is above it already.</summary>
    public void RaiseTo(string counter, long value) =>
        Execute("INSERT INTO counters VALUES ($0, $1) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)", counter, value);

    /// <inheritdoc/>
    public void Dispose() => _connection.Dispose();

    SqliteCommand Command(string sql, ReadOnlySpan<object> values)
    {
        FaultPoint?.Invoke();
        SqliteCommand command = _connection.CreateCommand();
        command.CommandText = sql;
        for (int i = 0; i < values.Length; i++)
            command.Parameters.AddWithValue($"${i}", values[i]);
        return command;
    }

    void Check(int result)
    {
        if (result != raw.SQLITE_OK)
            throw new SqliteException(raw.sqlite3_errmsg(_connection.Handle!).utf8_to_string(), result);
    }

    /// <summary>A right to write, until it is disposed.</summary>
    public sealed class Writing(Catalogue catalogue) : IDisposable
    {
        bool _done;

        /// <summary>Makes what was written visible to all.</summary>
        public void Commit()
        {
            catalogue.Execute("COMMIT");
            _done = true;
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            if (_done)
                return;
            try
            {
                catalogue.Execute("ROLLBACK");
            }
            catch (SqliteException)
            {
                // SQLite has rolled back by itself, as it does when the disk is full.
            }
        }
    }
}

/// <summary>A row of the catalogue.</summary>
readonly record struct StoredBlock(long Place, BlockKey Key, BlockKey Parent, long Used, long Change);
