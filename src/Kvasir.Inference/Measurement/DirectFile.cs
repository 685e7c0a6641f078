using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Kvasir.Inference.Measurement;

/// <summary>
/// A new file that bypasses the system's cache where it can. On Unix it has no name from its first moment on, so that nothing stays behind
/// even when the process is killed; elsewhere the system deletes it when it is closed.
/// </summary>
static partial class DirectFile
{
    /// <summary>What requests must be aligned to, in the file and in memory.</summary>
    public const int Alignment = 4096;

    const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    const int ReadWrite = 0x2, Create = 0x40, Exclusive = 0x80, CloseOnExec = 0x80000; // the same on all Linux that .NET runs on

    /// <summary>Opens it; <paramref name="direct"/> tells whether the cache is bypassed.</summary>
    /// <exception cref="IOException">No file can be made there.</exception>
    /// <exception cref="UnauthorizedAccessException">No file may be made there.</exception>
    public static SafeFileHandle Open(string folder, out bool direct)
    {
        string path = Path.Combine(folder, $".kvasir-{Guid.NewGuid():n}");
        try
        {
            SafeFileHandle? file = OperatingSystem.IsLinux() ? TryOpen(path) : null;
            direct = file is not null;
            return file ?? OpenCached(path);
        }
        finally
        {
            if (!OperatingSystem.IsWindows())
                File.Delete(path);
        }
    }

    /// <summary>Null if it is refused, be it because of the flag or for a reason that <see cref="OpenCached"/> will meet too.</summary>
    static SafeFileHandle? TryOpen(string path)
    {
        int descriptor = LinuxOpen(path, ReadWrite | Create | Exclusive | CloseOnExec | Direct, (int)OwnerOnly);
        return descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
    }

    static SafeFileHandle OpenCached(string path)
    {
        File.Delete(path); // some systems make the file before they refuse the flag
        FileOptions options = OperatingSystem.IsWindows() ? FileOptions.WriteThrough | FileOptions.DeleteOnClose : FileOptions.WriteThrough;
        SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, options);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, OwnerOnly);
        return file;
    }

    /// <summary>O_DIRECT of the processor at hand.</summary>
    static int Direct => RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.Arm or Architecture.Arm64 or Architecture.Armv6 => 0x10000,
        Architecture.Ppc64le => 0x20000,
        _ => 0x4000,
    };

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LinuxOpen(string path, int flags, int mode);
}
