namespace Kvasir.Formats;

/// <summary>
/// Files in a folder that can be made again: those that were used last are kept, up to a bound, and what was being written by a process
/// that is gone is deleted.
/// </summary>
/// <param name="folder">The folder, which need not exist.</param>
/// <param name="ending">How the names of these files end: <c>.gguf</c>.</param>
/// <param name="maxBytes">Most bytes of all of them, but for the one that is asked for.</param>
public sealed class KeptFiles(string folder, string ending, long maxBytes)
{
    /// <summary>How the names of files end that are being written.</summary>
    public const string Unfinished = ".part";

    static readonly TimeSpan s_abandoned = TimeSpan.FromHours(1);

    /// <summary>All of them, the last used first.</summary>
    public FileInfo[] All() => Directory.Exists(folder)
        ? [.. new DirectoryInfo(folder).EnumerateFiles("*" + ending).OrderByDescending(file => file.LastWriteTimeUtc)]
        : [];

    /// <summary>
    /// Notes that a file is used: reading is noted by some file systems only, and by whoever looks into it. Not an error where that fails.
    /// </summary>
    public static void Use(string path)
    {
        try
        {
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) // it may just have given way, or be somebody else's
        {
        }
    }

    /// <summary>Deletes what was used least recently, as far as there is more than the bound.</summary>
    /// <param name="used">The file that stays in any case.</param>
    /// <param name="bytes">How long it is, or will be.</param>
    /// <param name="gone">Told of each before it goes.</param>
    public void Bound(string used, long bytes, Action<FileInfo>? gone = null)
    {
        DeleteAbandoned();
        long kept = bytes;
        foreach (FileInfo file in All().Where(file => file.FullName != used))
            if (kept + file.Length <= maxBytes)
            {
                kept += file.Length;
            }
            else
            {
                gone?.Invoke(file);
                Delete(file);
            }
    }

    /// <summary>Deletes all of them.</summary>
    /// <returns>How many, and their bytes.</returns>
    public (int Count, long Bytes) Clear()
    {
        long[] gone = [.. All().Select(file => (file.Length, IsGone: Delete(file))).Where(file => file.IsGone).Select(file => file.Length)];
        DeleteAbandoned();
        return (gone.Length, gone.Sum());
    }

    /// <summary>Deletes a file. One that another process has open stays where the system wants it so.</summary>
    /// <returns>Whether it is gone.</returns>
    public static bool Delete(FileInfo file)
    {
        try
        {
            file.Delete();
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    void DeleteAbandoned()
    {
        if (Directory.Exists(folder))
            foreach (FileInfo part in new DirectoryInfo(folder).EnumerateFiles("*" + Unfinished))
                if (DateTime.UtcNow - part.LastWriteTimeUtc > s_abandoned)
                    Delete(part);
    }
}
