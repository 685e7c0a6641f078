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
    const int NoEntry = 2;
    static readonly int[] s_refusals = [1, 13, 30]; // not permitted, access denied, a file system that is only read

    /// <summary>Whether a name stands for anything, be it a link that leads nowhere.</summary>
    public static bool Exists(string path) =>
        OperatingSystem.IsWindows() ? Path.Exists(path) : FileFacts.Of(path) is not null;

    /// <summary>Whether there is an ordinary file of a name.</summary>
    public static bool IsFile(string path) => Exists(path) && Foreign(path) is null;

    /// <summary>Throws where something speaks against a file, if there is one.</summary>
    /// <exception cref="ForeignFileException">It is none.</exception>
    /// <exception cref="UnauthorizedAccessException">It is not to be written to.</exception>
    public static void Check(string path, bool writable)
    {
        if (Foreign(path) is { } what)
            throw new ForeignFileException(path, what);
        if (writable && !OperatingSystem.IsWindows() && FileFacts.Of(path) is { } facts)
            CheckOwner(path, facts);
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
            throw Refusal(path, Marshal.GetLastPInvokeError());
        var file = new SafeFileHandle(descriptor, ownsHandle: true);
        try
        {
            FileFacts facts = FileFacts.Of(descriptor) ?? throw new ForeignFileException(path, "is nothing that could be looked at");
            if (Foreign(facts) is { } what)
                throw new ForeignFileException(path, what);
            if (writable)
                CheckOwner(path, facts);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>What is in the place of a file; null where that is one, or nothing.</summary>
    static string? Foreign(string path)
    {
        if (!OperatingSystem.IsWindows())
            return FileFacts.Of(path) is { } facts ? Foreign(facts) : null;
        return Path.Exists(path) && (File.GetAttributes(path) & (FileAttributes.ReparsePoint | FileAttributes.Directory)) != 0
            ? "is a link or a directory, expected a file"
            : null;
    }

    static string? Foreign(FileFacts facts) => facts.IsRegular ? null : $"is {facts.Kind}, expected a file";

    static void CheckOwner(string path, FileFacts facts)
    {
        if (facts.Names > 1)
            throw new UnauthorizedAccessException($"{path}: has another name elsewhere, and is not written to");
        if (facts.Owner != FileFacts.Me && facts.Owner != FileFacts.Of($"{Path.GetDirectoryName(path)}/.")?.Owner)
            throw new UnauthorizedAccessException($"{path}: belongs to another user, and is not written to");
    }

    static Exception Refusal(string path, int error)
    {
        string message = $"{path}: {Marshal.GetPInvokeErrorMessage(error)}";
        if (error == NoEntry)
            return new FileNotFoundException(message, path);
        if (Foreign(path) is { } what)
            return new ForeignFileException(path, what);
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
