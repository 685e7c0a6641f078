using System.Runtime.InteropServices;
using Kvasir.KvCache.Layout;
using Microsoft.Win32.SafeHandles;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>
/// Files that bypass the system's cache where they can: blocks have a cache of their own, and would only push others' files out.
/// Elsewhere, and where the file system refuses, they are ordinary files. Requests are aligned to
/// <see cref="KvLayout.PageBytes"/>, in the file and in memory.
/// </summary>
public static partial class DirectFile
{
    const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    // the same on all Linux that .NET runs on
    internal const int ReadOnly = 0, ReadWrite = 0x2, CloseOnExec = 0x80000;
    const int CreateFlag = 0x40, Exclusive = 0x80;

    /// <summary>
    /// A new file that is gone when it is closed. On Unix it has no name from its first moment on, so that nothing stays behind
    /// even when the process is killed.
    /// </summary>
    /// <param name="folder">Where.</param>
    /// <param name="direct">Whether the cache is bypassed.</param>
    /// <exception cref="IOException">No file can be made there.</exception>
    /// <exception cref="UnauthorizedAccessException">No file may be made there.</exception>
    public static SafeFileHandle OpenTemporary(string folder, out bool direct)
    {
        string path = Path.Combine(folder, $".kvasir-{Guid.NewGuid():n}");
        try
        {
            SafeFileHandle? file = TryOpen(path, ReadWrite | CreateFlag | Exclusive);
            direct = file is not null;
            return file ?? CreateCached(path,
                OperatingSystem.IsWindows() ? FileOptions.WriteThrough | FileOptions.DeleteOnClose : FileOptions.WriteThrough);
        }
        finally
        {
            if (!OperatingSystem.IsWindows())
                File.Delete(path);
        }
    }

    /// <summary>Makes a file, for its owner only, and takes all its room at once.</summary>
    /// <exception cref="IOException">There is something of the name, be it a link; or there is not so much room.</exception>
    public static void Create(string path, long bytes)
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.Write, PreallocationSize = bytes, BufferSize = 0,
        };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = OwnerOnly;
        using var file = new FileStream(path, options);
        file.SetLength(bytes);
    }

    /// <summary>Opens a file that exists.</summary>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be opened.</exception>
    public static SafeFileHandle Open(string path, bool writable) =>
        TryOpen(path, writable ? ReadWrite : ReadOnly)
        ?? File.OpenHandle(path, FileMode.Open, writable ? FileAccess.ReadWrite : FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

    /// <summary>Null if it is refused, be it because of the flag or for a reason that the ordinary way will meet too.</summary>
    static SafeFileHandle? TryOpen(string path, int flags)
    {
        if (!OperatingSystem.IsLinux())
            return null;
        int descriptor = LinuxOpen(path, flags | CloseOnExec | Direct, (int)OwnerOnly);
        return descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
    }

    static SafeFileHandle CreateCached(string path, FileOptions options)
    {
        File.Delete(path); // some systems make the file before they refuse the flag
        SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, options);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, OwnerOnly);
        return file;
    }

    /// <summary>O_DIRECT of the processor at hand.</summary>
    internal static int Direct => RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.Arm or Architecture.Arm64 or Architecture.Armv6 => 0x10000,
        Architecture.Ppc64le => 0x20000,
        _ => 0x4000,
    };

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LinuxOpen(string path, int flags, int mode);
}
