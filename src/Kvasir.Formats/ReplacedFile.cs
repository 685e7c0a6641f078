namespace Kvasir.Formats;

/// <summary>
/// Replaces a file all at once: written beside it, flushed to the disk and renamed over it. A symbolic link is itself replaced; the file
/// it points to, which may belong to a download cache, stays as it is.
/// </summary>
static class ReplacedFile
{
    /// <param name="path">The file.</param>
    /// <param name="bytes">How long it will be.</param>
    /// <param name="write">Writes it.</param>
    /// <param name="mode">Who may read and write it on Unix; without it, whom the system's mask lets.</param>
    public static void Write(string path, long bytes, Action<Stream> write, UnixFileMode? mode = null)
    {
        string target = Path.GetFullPath(path);
        if (Directory.Exists(target)) throw new IOException($"{path}: cannot be written: it is a directory");
        // As root, the rename would put an ordinary file in place of /dev/null.
        if (Path.GetDirectoryName(target) == "/dev") throw new IOException($"{path}: cannot be written: it is a device");
        string temporary = $"{target}.{Guid.NewGuid():n}.part";
        try
        {
            WriteThrough(temporary, bytes, write, mode);
            File.Move(temporary, target, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{path}: cannot be written: {e.Message.Replace(temporary, target, StringComparison.Ordinal)}", e);
        }
        finally
        {
            // Gone already when the move succeeded, and there is nothing to delete if even the folder is missing.
            if (File.Exists(temporary)) File.Delete(temporary);
        }
    }

    static void WriteThrough(string path, long bytes, Action<Stream> write, UnixFileMode? mode)
    {
        // Where the file system can, all space is taken at once, so that a full disk is known before the work and not after it.
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, PreallocationSize = bytes };
        if (mode is { } given && !OperatingSystem.IsWindows())
            options.UnixCreateMode = given;
        using var stream = new FileStream(path, options);
        write(stream);
        stream.Flush(flushToDisk: true);
    }
}
