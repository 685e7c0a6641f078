using System.Runtime.Versioning;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>How a catalogue is opened: what is none of ours is not asked anything.</summary>
sealed partial class Catalogue
{
    /// <summary>Opens the catalogue of a directory, or makes it.</summary>
    /// <exception cref="SqliteException">It is no catalogue, damaged, or of another version.</exception>
    /// <exception cref="IOException">Something else has its name, or that of a file beside it.</exception>
    public static Catalogue Open(string folder, bool canWrite, Action? faultPoint = null)
    {
        string path = In(folder);
        foreach (string file in (string[])[path, .. CompanionsOf(path)])
            OwnFile.Check(file, canWrite); // SQLite would follow a link, and wait for a FIFO
        if (canWrite && !OperatingSystem.IsWindows())
            MakePrivate(path);
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
            _ = raw.sqlite3_limit(connection.Handle!, raw.SQLITE_LIMIT_LENGTH, MostValueBytes); // a row may say that it has a gigabyte
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

    /// <summary>What SQLite keeps beside a catalogue.</summary>
    public static string[] CompanionsOf(string path) => [path + "-wal", path + "-shm", path + "-journal"];

    /// <summary>
    /// For its owner only; companions take over the mode. The file is opened only when it is missing: closing any handle of a file drops
    /// all POSIX locks that the process has on it, SQLite's on another connection included.
    /// </summary>
    [UnsupportedOSPlatform("windows")]
    static void MakePrivate(string path)
    {
        const UnixFileMode ownerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        if (!OwnFile.Exists(path))
            try
            {
                new FileStream(path, new FileStreamOptions
                {
                    Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.ReadWrite, UnixCreateMode = ownerOnly,
                }).Dispose();
            }
            catch (IOException) when (OwnFile.Exists(path))
            {
                OwnFile.Check(path, writable: true); // another process was faster
            }
        if (File.GetUnixFileMode(path) != ownerOnly)
            File.SetUnixFileMode(path, ownerOnly);
    }

    void Prepare()
    {
        Execute($"PRAGMA busy_timeout = {PatienceSeconds * 1000}");
        Execute("PRAGMA trusted_schema = OFF");
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
        Examine();
    }

    /// <summary>
    /// Nothing but our own tables is asked: a view in place of one may go on for ever. And what numbers everything else has to be numbers.
    /// </summary>
    void Examine()
    {
        if (Number("PRAGMA application_id") != ApplicationId || Number("PRAGMA user_version") != SchemaVersion || !HasOurSchema())
            throw new SqliteException($"{FileName} is no catalogue of version {SchemaVersion}", raw.SQLITE_NOTADB);
        List<string> wrong = Rows($"""
            SELECT name FROM counters WHERE name IN ('change', 'clock', 'segment', 'trimmed') AND (typeof(value) <> 'integer'
            OR value NOT BETWEEN 0 AND iif(name = 'segment', {MostSegment}, {CatalogueRow.MostCount}))
            """, row => row.Text(0));
        if (wrong.Count > 0)
            throw new SqliteException($"{FileName}: '{wrong[0]}' counts nothing that there could be", raw.SQLITE_CORRUPT);
    }

    bool HasOurSchema()
    {
        List<string> found = Rows($"""
            SELECT sql FROM sqlite_schema WHERE type <> 'index' OR sql IS NOT NULL LIMIT {s_schema.Count + 1}
            """, row => OneLine(row.Text(0)));
        return found.Count == s_schema.Count && s_schema.SetEquals(found);
    }

    static string OneLine(string sql) => string.Join(' ', sql.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
