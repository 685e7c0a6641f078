using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>How a directory is opened, whatever it holds.</summary>
public sealed partial class DiskTier
{
    const string LockName = "catalogue.lock";
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30), s_pause = TimeSpan.FromMilliseconds(10);

    /// <summary>
    /// Opens a directory, and makes it if it is missing. A damaged catalogue is set aside, and the directory begins empty. One that cannot
    /// be written is read.
    /// </summary>
    /// <exception cref="IOException">The directory cannot be used at all, for whatever reason.</exception>
    public static DiskTier Open(DiskTierOptions options, KvLayout layout, Fingerprint fingerprint, string modelName)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(layout);
        string? problem;
        try
        {
            PrivateFolder.Create(options.Folder);
            return OpenToWrite();
        }
        catch (Exception e) // the libraries below have many kinds, and none of them is worth an answer
        {
            problem = e.Message;
        }
        try
        {
            return new DiskTier(options, layout, fingerprint, modelName, canWrite: false)
            {
                Problem = $"{options.Folder}: is read and not written: {problem}",
            };
        }
        catch (Exception e)
        {
            throw new IOException($"{options.Folder}: cannot be used for keys and values: {problem}", e);
        }

        DiskTier OpenToWrite()
        {
            try
            {
                return Open(null);
            }
            catch (SqliteException e) when (IsDamage(e) || e.SqliteErrorCode == raw.SQLITE_IOERR) // which somebody may be setting aside
            {
                using FileStream turn = TakeTurn(options.Folder); // what others make anew is not to be set aside in its turn
                return OpenOrBeginAnew();
            }
        }

        DiskTier OpenOrBeginAnew()
        {
            try
            {
                return Open(null);
            }
            catch (SqliteException e) when (IsDamage(e))
            {
                return Open(SetAside(options.Folder, e.Message));
            }
        }

        DiskTier Open(string? said) => new(options, layout, fingerprint, modelName, canWrite: true)
        {
            Problem = said ?? PrivateFolder.Objection(options.Folder),
        };
    }

    // the last: a column is missing, or numbers are beyond what SQLite can add
    static bool IsDamage(SqliteException e) => e.SqliteErrorCode is raw.SQLITE_NOTADB or raw.SQLITE_CORRUPT or raw.SQLITE_ERROR;

    /// <summary>The right to set a catalogue aside, of all processes.</summary>
    static FileStream TakeTurn(string folder)
    {
        string path = Path.Combine(folder, LockName);
        OwnFile.Check(path, writable: true);
        long start = TimeProvider.System.GetTimestamp();
        while (true)
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (TimeProvider.System.GetElapsedTime(start) < s_patience)
            {
                Thread.Sleep(s_pause);
            }
    }

    /// <summary>
    /// What cannot be read is renamed, for whoever wants to know; the blocks' files go, since nothing says what is in them.
    /// </summary>
    static string SetAside(string folder, string why)
    {
        string path = Catalogue.In(folder);
        File.Move(path, path + ".damaged", overwrite: true);
        foreach (string companion in Catalogue.CompanionsOf(path))
            File.Delete(companion);
        foreach ((string segment, _) in Segment.FilesIn(folder))
            Segment.TryDelete(segment);
        return $"{path}: {why}; it was set aside and the cache began anew";
    }
}
