using Kvasir.KvCache.Prefixes;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>
/// The directory's books in SQLite: which block lies in which slot of which file. Rows appear only when what they speak of is on the disk.
/// One connection; not thread-safe.
/// </summary>
sealed partial class Catalogue : IDisposable
{
    /// <summary>Slots of a segment at most; a place is segment · this + slot.</summary>
    public const long PlacesPerSegment = 1 << 20;

    /// <summary>Evictions that are remembered.</summary>
    const int EvictionsKept = 1 << 16, RootsKept = 1024;

    const int KeysPerQuery = 256, MostFirstSegment = 900_000, MostSegment = 1 << 30;
    const int MostValueBytes = 16 << 20;
    const string FileName = "catalogue.db";
    const int ApplicationId = 0x4B56_5352, SchemaVersion = 1;
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

    static readonly HashSet<string> s_schema =
        [.. Schema.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(OneLine)];

    readonly SqliteConnection _connection;

    Catalogue(SqliteConnection connection, bool canWrite) => (_connection, CanWrite) = (connection, canWrite);

    /// <summary>Whether rows can be written.</summary>
    public bool CanWrite { get; }

    /// <summary>Is called before each statement, and may wait or throw: for tests.</summary>
    public Action? FaultPoint { get; init; }

    /// <summary>The catalogue's file.</summary>
    public static string In(string folder) => Path.Combine(folder, FileName);

    /// <summary>
    /// From now on, gives up when another process writes for more than two seconds. Before, while the directory is opened, it waits for
    /// half a minute, as the connection does by itself: whoever is turned away then never writes.
    /// </summary>
    public void BeImpatient() => _connection.DefaultTimeout = PatienceSeconds;

    /// <summary>Takes the directory's one right to write; what is not committed is undone.</summary>
    /// <exception cref="SqliteException">Another process keeps it for too long.</exception>
    public Writing Write()
    {
        Begin("BEGIN IMMEDIATE");
        return new Writing(this);
    }

    /// <summary>Begins to read: what follows is of one moment, until <see cref="EndReading"/>.</summary>
    public void BeginReading() => Begin("BEGIN");

    /// <summary>Ends what <see cref="BeginReading"/> began.</summary>
    public void EndReading() => Execute("COMMIT");

    /// <summary>What an earlier fault has left open is undone first: else nothing could begin any more.</summary>
    void Begin(string sql)
    {
        if (raw.sqlite3_get_autocommit(_connection.Handle!) == 0)
            Execute("ROLLBACK");
        Execute(sql);
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
    public List<T> Rows<T>(string sql, Func<CatalogueRow, T> row, params ReadOnlySpan<object> values)
    {
        using SqliteCommand command = Command(sql, values);
        using SqliteDataReader reader = command.ExecuteReader();
        List<T> rows = [];
        while (reader.Read())
            rows.Add(row(new CatalogueRow(reader)));
        return rows;
    }

    /// <summary>
    /// Goes through the rows that a query gives for keys, which it names as <c>{keys}</c>. Loops, where LINQ over keys would be as short:
    /// a process that asks once and ends would spend its time compiling that.
    /// </summary>
    void ForRowsOf(string sql, IReadOnlyList<BlockKey> keys, Action<CatalogueRow> each)
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
                each(new CatalogueRow(reader));
        }
    }

    /// <summary>Which of some keys any model has a block of.</summary>
    public HashSet<BlockKey> Present(IReadOnlyList<BlockKey> keys)
    {
        HashSet<BlockKey> present = [];
        ForRowsOf("SELECT key FROM blocks WHERE key IN ({keys})", keys, row => present.Add(row.Key(0)));
        return present;
    }

    /// <summary>When blocks were evicted, of those of which that is remembered.</summary>
    public Dictionary<BlockKey, DateTimeOffset> Evicted(IReadOnlyList<BlockKey> keys)
    {
        Dictionary<BlockKey, DateTimeOffset> evicted = [];
        ForRowsOf("SELECT key, max(at) FROM evicted WHERE key IN ({keys}) GROUP BY key", keys,
            row => evicted[row.Key(0)] = row.Time(1));
        return evicted;
    }

    /// <summary>The tokens of blocks.</summary>
    public Dictionary<BlockKey, int[]> Tokens(IReadOnlyList<BlockKey> keys)
    {
        Dictionary<BlockKey, int[]> tokens = [];
        ForRowsOf("SELECT key, tokens FROM blocks WHERE key IN ({keys})", keys,
            row => tokens[row.Key(0)] = row.Tokens(1));
        return tokens;
    }

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
        """, row => row.Number(0), now.ToUnixTimeSeconds(), otherThan, before);

    /// <summary>Segments without a block.</summary>
    public List<long> EmptySegments() =>
        Rows($"SELECT id FROM segments WHERE NOT EXISTS (SELECT * FROM blocks WHERE {InSegment})", row => row.Number(0));

    /// <summary>Bytes of all segments; as a sum that cannot overflow, whatever the rows say.</summary>
    public long SegmentBytes() => Number("SELECT CAST(total(max(0, slot_bytes * slots)) AS INTEGER) FROM segments");

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

    /// <summary>Drops the segments whose files are gone, or no files any more; returns how many blocks that were.</summary>
    public int DropVanished(string folder, DateTimeOffset when) =>
        Rows("SELECT id FROM segments", row => row.Number(0)).Where(id => !Segment.IsThere(folder, id))
            .Sum(id => DropSegment(id, when));

    /// <summary>
    /// Deletes segments' files that no row speaks of: of a process that died between a commit and a deletion, or while it made one. Takes
    /// the right to write, since a file that another process is just making has no row yet.
    /// </summary>
    public void DeleteStrayFiles(string folder)
    {
        using Writing writing = Write();
        HashSet<long> known = [.. Rows("SELECT id FROM segments", row => row.Number(0))];
        foreach ((string path, long id) in Segment.FilesIn(folder))
            if (!known.Contains(id))
                Segment.TryDelete(path);
    }

    /// <summary>Forgets all but the newest roots: whoever makes up salts must not make this table grow.</summary>
    public void TrimRoots() => Execute($"DELETE FROM roots WHERE root NOT IN (SELECT root FROM roots ORDER BY at DESC LIMIT {RootsKept})");

    /// <summary>Forgets the oldest evictions.</summary>
    public void TrimEvicted()
    {
        string oldest = $"FROM evicted WHERE rowid <= (SELECT max(rowid) FROM evicted) - {EvictionsKept}";
        RaiseTo("trimmed", Math.Min(Number($"SELECT max(change) {oldest}"), Counter("change")));
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
        RaiseTo("segment", Number($"SELECT max(id) FROM segments WHERE id < {MostSegment}")); // should the counter be wrong
        AddTo("segment", 1);
        return Number("SELECT value FROM counters WHERE name = 'segment'");
    }

    /// <summary>Adds to a counter; one that holds what nobody could have counted begins anew.</summary>
    public void AddTo(string counter, long amount) => Execute($"""
        INSERT INTO counters VALUES ($0, $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value
        + iif(typeof(value) = 'integer' AND value BETWEEN 0 AND {CatalogueRow.MostCount}, value, 0)
        """, counter, amount);

    /// <summary>A counter; 0 where it holds what nobody could have counted.</summary>
    public long Counter(string name) =>
        Rows("SELECT value FROM counters WHERE name = $0", row => row.Integer(0), name).FirstOrDefault();

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
            catch (Exception)
            {
                // SQLite has rolled back by itself, as it does when the disk is full; else the next one to begin does.
            }
        }
    }
}

/// <summary>A row of the catalogue.</summary>
readonly record struct StoredBlock(long Place, BlockKey Key, BlockKey Parent, long Used, long Change);
