using System.Runtime.InteropServices;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>What a name stands for on Unix, or an open file is. A link is a link, and not what it leads to.</summary>
/// <param name="Mode">Kind and permissions.</param>
/// <param name="Owner">Whose it is.</param>
/// <param name="Names">How many names it has.</param>
readonly unsafe partial record struct FileFacts(uint Mode, uint Owner, uint Names)
{
    const uint KindMask = 0xF000, Regular = 0x8000, OthersWrite = 0x2;
    const int Here = -100, OfLinkItself = 0x100, OfDescriptor = 0x1000, BasicFacts = 0xF; // of Linux
    const int StructBytes = 256; // more than any system's

    /// <summary>Whether it is an ordinary file.</summary>
    public bool IsRegular => (Mode & KindMask) == Regular;

    /// <summary>Whether everybody may write to it.</summary>
    public bool OthersMayWrite => (Mode & OthersWrite) != 0;

    /// <summary>Permissions.</summary>
    public UnixFileMode Permissions => (UnixFileMode)(Mode & 0xFFF);

    /// <summary>What it is, in words.</summary>
    public string Kind => (Mode & KindMask) switch
    {
        Regular => "a file",
        0x4000 => "a directory",
        0xA000 => "a symbolic link",
        0x1000 => "a FIFO",
        0xC000 => "a socket",
        _ => "a device",
    };

    /// <summary>Who this process is to the file system.</summary>
    public static uint Me => EffectiveUser();

    /// <summary>The facts of a path; null where there is nothing, or nothing that may be looked at.</summary>
    public static FileFacts? Of(string path)
    {
        byte* facts = stackalloc byte[StructBytes];
        int result = OperatingSystem.IsLinux() ? LinuxStat(Here, path, OfLinkItself, BasicFacts, facts)
            : RuntimeInformation.ProcessArchitecture == Architecture.X64 ? OldMacStat(path, facts) : MacStat(path, facts);
        return result == 0 ? Read(facts) : null;
    }

    /// <summary>The facts of an open file; null where the system does not tell them.</summary>
    public static FileFacts? Of(int descriptor)
    {
        byte* facts = stackalloc byte[StructBytes];
        int result = OperatingSystem.IsLinux() ? LinuxStat(descriptor, "", OfDescriptor, BasicFacts, facts)
            : RuntimeInformation.ProcessArchitecture == Architecture.X64 ? OldMacStat(descriptor, facts) : MacStat(descriptor, facts);
        return result == 0 ? Read(facts) : null;
    }

    static FileFacts Read(byte* facts) => OperatingSystem.IsLinux()
        ? new(*(ushort*)(facts + 28), *(uint*)(facts + 20), *(uint*)(facts + 16))
        : new(*(ushort*)(facts + 4), *(uint*)(facts + 16), *(ushort*)(facts + 6));

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LinuxStat(int folder, string path, int flags, uint mask, byte* facts);

    [LibraryImport("libc", EntryPoint = "lstat", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MacStat(string path, byte* facts);

    [LibraryImport("libc", EntryPoint = "lstat$INODE64", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OldMacStat(string path, byte* facts);

    [LibraryImport("libc", EntryPoint = "fstat")]
    private static partial int MacStat(int descriptor, byte* facts);

    [LibraryImport("libc", EntryPoint = "fstat$INODE64")]
    private static partial int OldMacStat(int descriptor, byte* facts);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUser();
}
