using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Microsoft.Data.Sqlite;
using Microsoft.Win32.SafeHandles;
using SQLitePCL;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>The room that a directory takes.</summary>
/// <param name="Segments">Files.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="Slots">Slots in them.</param>
/// <param name="FreeSlots">Slots that hold no block.</param>
/// <param name="EvictionsRemembered">Evictions that can still be told of.</param>
public sealed record InspectedSpace(int Segments, long Bytes, long Slots, long FreeSlots, long EvictionsRemembered);

/// <summary>
/// Looks into a directory of blocks, of all models at once, and keeps it in order, while processes use it. Needs no model.
/// </summary>
public sealed class DiskInspection : ITierInspection
{
    const int MostCounters = 1000;

    readonly string _folder;
    readonly Catalogue _catalogue;
    readonly TimeProvider _time;

    DiskInspection(string folder, Catalogue catalogue, TimeProvider time) => (_folder, _catalogue, _time) = (folder, catalogue, time);

    long Now => _time.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>Opens a directory; null when nothing was ever cached there.</summary>
    /// <exception cref="IOException">It holds something, but no catalogue that can be read.</exception>
    public static DiskInspection? Open(string folder, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        string path = Catalogue.In(folder);
        if (!OwnFile.Exists(path))
            return null;
        try
        {
            return new DiskInspection(folder, OpenCatalogue(folder), time ?? TimeProvider.System);
        }
        catch (Exception e) when (e is not IOException)
        {
            throw new IOException($"{path}: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<InspectedModel> Models() => Guard(() => _catalogue.Rows("""
        SELECT fingerprint, name, count(place), coalesce(sum(length(tokens)) / 4, 0), CAST(total(max(0, slot_bytes)) AS INTEGER), coalesce(sum(key IN (SELECT key FROM pins WHERE until > $0)), 0)
        FROM models LEFT JOIN blocks ON model = models.id LEFT JOIN segments ON segments.id = place / 1048576 GROUP BY models.id ORDER BY 3 DESC
        """, row => new InspectedModel(row.Fingerprint(0), row.Text(1), row.Integer(2), row.Integer(3), row.Integer(4), row.Integer(5)), Now));

    /// <inheritdoc/>
    /// <remarks>Rows whose keys are no digests are left out: read as one, they could follow each other in a circle.</remarks>
    public IReadOnlyList<InspectedBlock> Blocks() => Guard(() => _catalogue.Rows("""
        SELECT key, parent, fingerprint, name, tokens, slot_bytes, at, (SELECT min(owner) FROM pins WHERE pins.key = blocks.key AND until > $0), (SELECT max(until) FROM pins WHERE pins.key = blocks.key)
        FROM blocks JOIN models ON models.id = model JOIN segments ON segments.id = place / 1048576
        WHERE length(key) = 32 AND length(parent) = 32 ORDER BY used DESC
        """, Block, Now));

    /// <summary>The room taken.</summary>
    public InspectedSpace Space() => Guard(() =>
    {
        long slots = Math.Min(_catalogue.Number("SELECT CAST(total(max(0, slots)) AS INTEGER) FROM segments"), CatalogueRow.MostCount);
        return new InspectedSpace((int)_catalogue.Number("SELECT count(*) FROM segments"),
            Math.Min(_catalogue.SegmentBytes(), CatalogueRow.MostCount), slots,
            slots - _catalogue.Number("SELECT count(*) FROM blocks"), _catalogue.Number("SELECT count(*) FROM evicted"));
    });

    /// <summary>What was counted over all processes.</summary>
    public IReadOnlyDictionary<string, long> Counters() => Guard(() =>
    {
        Dictionary<string, long> counters = [];
        foreach ((string name, long value) in _catalogue.Rows($"SELECT name, value FROM counters LIMIT {MostCounters}",
            row => (row.Text(0), row.Integer(1))))
            counters[name] = value;
        return counters;
    });

    /// <inheritdoc/>
    public IReadOnlyDictionary<ReadOutcome, int> Verify(IProgress<(int Done, int Total)>? progress = null,
        CancellationToken cancellation = default) => Guard(() =>
    {
        Dictionary<ReadOutcome, int> outcomes = [];
        var places = _catalogue.Rows("SELECT place, slot_bytes FROM blocks JOIN segments ON segments.id = place / 1048576 ORDER BY place",
            row => (Place: row.Number(0), SlotBytes: row.Number(1)));
        foreach ((int done, (long place, long slotBytes)) in places.Index())
        {
            cancellation.ThrowIfCancellationRequested();
            progress?.Report((done, places.Count));
            if (Verify(place, slotBytes) is { } outcome)
                outcomes[outcome] = outcomes.GetValueOrDefault(outcome) + 1;
        }
        progress?.Report((places.Count, places.Count));
        return outcomes;
    });

    /// <summary>
    /// Deletes what is of no use: pins that have ended, rows without a file, files without a row; and the coldest segments above a
    /// size, but none with a pinned block.
    /// </summary>
    /// <returns>Bytes given back to the file system.</returns>
    public long Collect(long? maxBytes = null) => Guard(() =>
    {
        long before = BytesOfFiles();
        using (Catalogue.Writing writing = _catalogue.Write())
        {
            _catalogue.Execute("DELETE FROM pins WHERE until <= $0", Now);
            _catalogue.TrimEvicted();
            _catalogue.DropVanished(_folder, _time.GetUtcNow());
            if (maxBytes is { } most)
                _catalogue.Shrink(most, _time.GetUtcNow());
            writing.Commit();
        }
        _catalogue.DeleteStrayFiles(_folder);
        _catalogue.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
        return before - BytesOfFiles();
    });

    /// <inheritdoc/>
    public int Clear(Fingerprint? model = null) => Guard(() =>
    {
        int blocks = ClearRows(model);
        _catalogue.DeleteStrayFiles(_folder);
        return blocks;
    });

    /// <inheritdoc/>
    public int Unpin(string owner) => Guard(() => _catalogue.Execute("DELETE FROM pins WHERE owner = $0", owner));

    /// <inheritdoc/>
    public void Dispose() => _catalogue.Dispose();

    /// <summary>The outcome of one block; null when it has gone meanwhile.</summary>
    ReadOutcome? Verify(long place, long slotBytes)
    {
        InspectedBlock? row = RowAt(place);
        if (row is null)
            return null;
        ReadOutcome outcome = Read(place, slotBytes, row);
        if (outcome is ReadOutcome.Ok or ReadOutcome.IoError || !_catalogue.CanWrite)
            return outcome;
        using Catalogue.Writing writing = _catalogue.Write(); // nobody writes from here on: what is bad now stays bad
        if (RowAt(place)?.Key != row.Key)
            return null;
        outcome = Read(place, slotBytes, row);
        if (outcome is not (ReadOutcome.Ok or ReadOutcome.IoError))
            _catalogue.Evict(row.Key, place, _catalogue.NextChange(), _time.GetUtcNow());
        writing.Commit();
        return outcome;
    }

    InspectedBlock? RowAt(long place) => _catalogue.Rows("""
        SELECT key, parent, fingerprint, name, tokens, 0, at, NULL, NULL FROM blocks JOIN models ON models.id = model WHERE place = $0
        """, Block, place).FirstOrDefault();

    ReadOutcome Read(long place, long slotBytes, InspectedBlock row)
    {
        string path = Segment.PathOf(_folder, place / Catalogue.PlacesPerSegment);
        if (place < 0)
            return ReadOutcome.Gone;
        if (slotBytes is < KvLayout.PageBytes or > int.MaxValue)
            return ReadOutcome.WrongLength;
        try
        {
            using SafeFileHandle file = OwnFile.Open(path, writable: false);
            long offset = place % Catalogue.PlacesPerSegment * slotBytes;
            if (offset + slotBytes > RandomAccess.GetLength(file))
                return ReadOutcome.WrongLength;
            using var slot = new NativeBuffer((int)slotBytes);
            return RandomAccess.Read(file, slot.Span, offset) == slotBytes
                ? SlotHeader.CheckSlot(slot.Span, row.Key, row.Parent, row.Fingerprint, row.Tokens)
                : ReadOutcome.WrongLength;
        }
        catch (Exception e) when (e is FileNotFoundException or ForeignFileException)
        {
            return ReadOutcome.Gone;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ReadOutcome.IoError;
        }
    }

    int ClearRows(Fingerprint? model)
    {
        using Catalogue.Writing writing = _catalogue.Write();
        int blocks = ClearBlocks(model);
        foreach (long id in _catalogue.EmptySegments())
            _catalogue.DropSegment(id, _time.GetUtcNow());
        _catalogue.Execute("DELETE FROM pins WHERE key NOT IN (SELECT key FROM blocks)");
        writing.Commit();
        return blocks;
    }

    int ClearBlocks(Fingerprint? model)
    {
        const string ofModel = "$0 IS NULL OR model = (SELECT id FROM models WHERE fingerprint = $0)";
        object fingerprint = model is null ? DBNull.Value : model.Value.Digest.ToArray();
        _catalogue.Execute($"INSERT INTO evicted SELECT $1, place, key, $2 FROM blocks WHERE {ofModel}",
            fingerprint, _catalogue.NextChange(), Now);
        return _catalogue.Execute($"DELETE FROM blocks WHERE {ofModel}", fingerprint);
    }

    long BytesOfFiles() => Directory.GetFiles(_folder).Sum(file => new FileInfo(file).Length);

    static InspectedBlock Block(CatalogueRow row) => new(
        row.Key(0), row.Key(1), row.Fingerprint(2), row.Text(3), row.Tokens(4), row.Integer(5, int.MaxValue), row.Time(6),
        row.IsEmpty(7) ? null : row.Text(7), row.IsEmpty(7) ? null : row.Time(8));

    /// <summary>
    /// To write if that can be. It is SQLite that finds out: opening the file and closing it drops the locks of a tier in this process.
    /// </summary>
    static Catalogue OpenCatalogue(string folder)
    {
        try
        {
            return Catalogue.Open(folder, canWrite: true);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException
            or SqliteException { SqliteErrorCode: raw.SQLITE_READONLY or raw.SQLITE_CANTOPEN })
        {
            return Catalogue.Open(folder, canWrite: false);
        }
    }

    T Guard<T>(Func<T> query)
    {
        try
        {
            return query();
        }
        catch (Exception e) when (e is not (IOException or OperationCanceledException))
        {
            throw new IOException($"{Catalogue.In(_folder)}: {e.Message}", e);
        }
    }
}
