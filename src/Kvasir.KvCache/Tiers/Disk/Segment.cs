using Microsoft.Win32.SafeHandles;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>One of the big files that blocks lie in: slots of one size. The file is opened when it is first used.</summary>
sealed class Segment(string folder, long id, long slotBytes, int slots, int first, bool writable) : IDisposable
{
    readonly Lock _gate = new();
    SafeFileHandle? _file;

    /// <summary>Its number in the catalogue.</summary>
    public long Id => id;

    /// <summary>Slots.</summary>
    public int Slots => slots;

    /// <summary>What its first slot is called in memory.</summary>
    public int First => first;

    /// <summary>The file of a segment.</summary>
    public static string PathOf(string folder, long id) => Path.Combine(folder, $"blocks-{id:d6}.kv");

    /// <summary>
    /// Deletes the file of a segment, if it is there. It is emptied first: another process may have it open, and would keep its
    /// room taken until it looks again.
    /// </summary>
    /// <exception cref="IOException">It cannot be deleted.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be deleted.</exception>
    public static void Delete(string path)
    {
        if (!System.IO.File.Exists(path))
            return;
        using (var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
            file.SetLength(0);
        System.IO.File.Delete(path);
    }

    /// <summary>The file, open.</summary>
    /// <exception cref="IOException">It cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be opened.</exception>
    public SafeFileHandle File()
    {
        lock (_gate)
            return _file ??= DirectFile.Open(PathOf(folder, id), writable);
    }

    /// <summary>Where a slot begins.</summary>
    public long Offset(int slot) => (slot - first) * slotBytes;

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
            _file?.Dispose();
    }
}
