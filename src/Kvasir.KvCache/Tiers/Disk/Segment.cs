using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>
/// One of the big files that blocks lie in: slots of one size. The file is opened when it is first read, and once more when it is first
/// written to: one that may only be read is read.
/// </summary>
sealed class Segment(string folder, long id, long slotBytes, int slots, int first) : IDisposable
{
    const string Prefix = "blocks-", Suffix = ".kv";

    readonly Lock _gate = new();
    SafeFileHandle? _reading, _writing;

    /// <summary>Its number in the catalogue.</summary>
    public long Id => id;

    /// <summary>Slots.</summary>
    public int Slots => slots;

    /// <summary>What its first slot is called in memory.</summary>
    public int First => first;

    /// <summary>The file of a segment.</summary>
    public static string PathOf(string folder, long id) => Path.Combine(folder, $"{Prefix}{id:d6}{Suffix}");

    /// <summary>The files that are called as segments are; what else lies in the directory is a stranger's.</summary>
    public static IEnumerable<(string Path, long Id)> FilesIn(string folder)
    {
        foreach (string path in Directory.GetFiles(folder, $"{Prefix}*{Suffix}"))
            if (long.TryParse(Path.GetFileName(path).AsSpan()[Prefix.Length..^Suffix.Length], NumberStyles.None,
                CultureInfo.InvariantCulture, out long id) && path == PathOf(folder, id))
                yield return (path, id);
    }

    /// <summary>Whether its file is there, and is one.</summary>
    public static bool IsThere(string folder, long id) => OwnFile.IsFile(PathOf(folder, id));

    /// <summary>
    /// Deletes the file of a segment, if it is there and ours; else it stays. It is emptied first: another process may have it open, and
    /// would keep its room taken until it looks again.
    /// </summary>
    public static bool TryDelete(string path)
    {
        try
        {
            using (SafeFileHandle file = OwnFile.Open(path, writable: true))
                RandomAccess.SetLength(file, 0);
            File.Delete(path);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // nothing points at it, so it only takes room, which whoever put it there may give back
        }
    }

    /// <summary>The file, open to be read.</summary>
    /// <exception cref="IOException">It cannot be opened, or is none of ours.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be opened.</exception>
    public SafeFileHandle ForReading() => Open(ref _reading, writable: false);

    /// <summary>The file, open to be written to.</summary>
    /// <exception cref="IOException">It cannot be opened, or is none of ours.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written to.</exception>
    public SafeFileHandle ForWriting() => Open(ref _writing, writable: true);

    /// <summary>Where a slot begins.</summary>
    public long Offset(int slot) => (slot - first) * slotBytes;

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _reading?.Dispose();
            _writing?.Dispose();
        }
    }

    SafeFileHandle Open(ref SafeFileHandle? file, bool writable)
    {
        lock (_gate)
            return file ??= OwnFile.Open(PathOf(folder, id), writable);
    }
}
