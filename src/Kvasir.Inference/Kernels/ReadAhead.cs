using System.Runtime.InteropServices;

namespace Kvasir.Inference.Kernels;

/// <summary>Has mapped memory read from its file before it is touched: page by page, as it is touched, disks are slow.</summary>
static unsafe partial class ReadAhead
{
    const int AdviceWillNeed = 3;

    /// <summary>Begins to read, in the background. An advice: without it all works too.</summary>
    public static void Begin(byte* start, long bytes)
    {
        if (!OperatingSystem.IsLinux())
            return;
        nint page = (nint)start & -Environment.SystemPageSize;
        _ = Advise((void*)page, (nuint)(start + bytes - page), AdviceWillNeed);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
