using System.Runtime.InteropServices;

namespace Kvasir.KvCache.Blocks;

/// <summary>
/// Asks the system for huge pages where it has them: memory that is gone through from end to end is reached with fewer walks through page
/// tables, and taken with fewer faults.
/// </summary>
public static unsafe partial class HugePages
{
    /// <summary>Bytes of a huge page on most systems. Memory should begin at a multiple.</summary>
    public const int Bytes = 2 << 20;

    const int AdviceHugePage = 14;

    /// <summary>Asks for huge pages in memory that is at least one long. An advice: without it all works too.</summary>
    public static void Advise(byte* start, long bytes)
    {
        if (OperatingSystem.IsLinux() && bytes >= Bytes)
            _ = Advise(start, (nuint)bytes, AdviceHugePage);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
