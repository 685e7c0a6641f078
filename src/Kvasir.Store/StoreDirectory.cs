namespace Kvasir.Store;

/// <summary>A folder of a store's own in a directory, which nobody else has while it lives and of which nothing stays.</summary>
sealed class StoreDirectory : IDisposable
{
    const string Folder = "kvasir-store", LockFile = "kvasir-store.lock";

    readonly FileStream _lock;

    /// <exception cref="IOException">It cannot be written, another store has it, or the disk has no room.</exception>
    public StoreDirectory(string directory, long bytes)
    {
        string full = System.IO.Path.GetFullPath(directory);
        Path = System.IO.Path.Combine(full, Folder);
        try
        {
            Make(full);
            _lock = new FileStream(System.IO.Path.Combine(full, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{directory}: {e.Message}", e);
        }
        try
        {
            Clear(); // what a store that was killed left
            Make(Path);
            if (new DriveInfo(full).AvailableFreeSpace is var free && free < bytes)
                throw new IOException($"{directory}: saw {free >> 20:N0} MiB free, expected {bytes >> 20:N0} MiB for the store");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Dispose();
            throw new IOException(e.Message, e);
        }
    }

    /// <summary>The store's own folder.</summary>
    public string Path { get; }

    public void Dispose()
    {
        Clear();
        File.Delete(_lock.Name); // before it is let go, or it might be the next one's
        _lock.Dispose();
    }

    void Clear()
    {
        if (Directory.Exists(Path))
            Directory.Delete(Path, recursive: true);
    }

    /// <summary>For its owner only: what lies there is conversations.</summary>
    static void Make(string path)
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(path);
        else
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }
}
