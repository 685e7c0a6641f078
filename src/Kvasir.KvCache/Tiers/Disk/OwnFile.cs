using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>
/// Files of the directory, in which others may have put anything under our names: a link that leads to somebody's letters, a FIFO that
/// never answers, a second name of another file. Only ordinary files are opened, no link is followed, and written is only to what has no
/// other name and belongs to this user or to the directory's.
/// </summary>
static partial class OwnFile
{
    const int NoEntry = 2, LinuxLoop = 40, MacLoop = 62;
    static readonly int[] s_refusals = [1, 13, 30]; // not permitted, access denied, a file system that is only read

    /// <summary>Whether a name stands for anything, be it a link that leads nowhere.</summary>
    public static bool Exists(string path) =>
        OperatingSystem.IsWindows() ? Path.Exists(path) : FileFacts.Of(path) is not null;

    /// <summary>What speaks against reading a file, or writing to it; nothing where there is none.</summary>
    public static string? Objection(string path, bool writable)
    {
        if (!OperatingSystem.IsWindows())
            return FileFacts.Of(path) is { } facts ? Objection(path, facts, writable) : null;
        return Path.Exists(path) && (File.GetAttributes(path) & (FileAttributes.ReparsePoint | FileAttributes.Directory)) != 0
            ? "is a link or a directory, expected a file"
            : null;
    }

    /// <summary>Throws where something speaks against a file.</summary>
    /// <exception cref="ForeignFileException">It is none of ours.</exception>
    public static void Check(string path, bool writable)
    {
        if (Objection(path, writable) is { } objection)
            throw new ForeignFileException(path, objection);
    }

    /// <summary>Opens a file that exists, past the system's cache where that can be.</summary>
    /// <exception cref="ForeignFileException">It is none of ours.</exception>
    /// <exception cref="IOException">It cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be opened.</exception>
    public static SafeFileHandle Open(string path, bool writable)
    {
        if (!OperatingSystem.IsWindows())
            return OpenUnix(path, writable);
        Check(path, writable);
        return DirectFile.Open(path, writable);
    }

    static SafeFileHandle OpenUnix(string path, bool writable)
    {
        int flags = (writable ? DirectFile.ReadWrite : DirectFile.ReadOnly) | NoFollow | NoWaiting | CloseOnExec;
        int descriptor = OperatingSystem.IsLinux() ? UnixOpen(path, flags | DirectFile.Direct) : -1;
        if (descriptor < 0) // some file systems refuse the flag
            descriptor = UnixOpen(path, flags);
        if (descriptor < 0)
            throw Refusal(path, Marshal.GetLastPInvokeError(), writable);
        var file = new SafeFileHandle(descriptor, ownsHandle: true);
        if (FileFacts.Of(descriptor) is { } facts && Objection(path, facts, writable) is not { } objection)
            return file;
        file.Dispose();
        throw new ForeignFileException(path, Objection(path, writable) ?? "is no file that could be looked at");
    }

    static string? Objection(string path, FileFacts facts, bool writable)
    {
        if (!facts.IsRegular)
            return $"is {facts.Kind}, expected a file";
        if (!writable)
            return null;
        if (facts.Names > 1)
            return "has other names elsewhere, expected one of its own";
        return facts.Owner == FileFacts.Me || facts.Owner == FileFacts.Of($"{Path.GetDirectoryName(path)}/.")?.Owner
            ? null
            : "belongs to another user: it is read and not written to";
    }

    static Exception Refusal(string path, int error, bool writable)
    {
        string message = $"{path}: {Marshal.GetPInvokeErrorMessage(error)}";
        if (error == NoEntry)
            return new FileNotFoundException(message, path);
        if (error == (OperatingSystem.IsLinux() ? LinuxLoop : MacLoop))
            return new ForeignFileException(path, Objection(path, writable) ?? "is a symbolic link, expected a file");
        return s_refusals.Contains(error) ? new UnauthorizedAccessException(message) : new IOException(message, error);
    }

    // a FIFO is opened at once, and refused then
    static int NoWaiting => OperatingSystem.IsLinux() ? 0x800 : 0x4;

    static int CloseOnExec => OperatingSystem.IsLinux() ? DirectFile.CloseOnExec : 0x1000000;

    static int NoFollow => !OperatingSystem.IsLinux() ? 0x100 : RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.Arm or Architecture.Arm64 or Architecture.Armv6 or Architecture.Ppc64le => 0x8000,
        _ => 0x20000,
    };

    // without a mode, which is an argument of another kind on some systems
    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int UnixOpen(string path, int flags);
}
