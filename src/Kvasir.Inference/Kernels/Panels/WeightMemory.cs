using System.Runtime.InteropServices;

namespace Kvasir.Inference.Kernels.Panels;

/// <summary>
/// One zeroed stretch of native memory for all of a model's weights. Where the system has them it is asked for huge pages: a decode step touches every
/// page once, and with small ones the walks through page tables cost some 5 % of the bandwidth.
/// </summary>
sealed unsafe partial class WeightMemory : SafeHandle
{
    const int HugePage = 2 << 20, AdviceHugePage = 14;

    /// <exception cref="InsufficientMemoryException">There is not so much memory.</exception>
    public WeightMemory(long bytes) : base(0, ownsHandle: true)
    {
        try
        {
            SetHandle((nint)NativeMemory.AllocZeroed(checked((nuint)bytes + HugePage)));
        }
        catch (OutOfMemoryException e)
        {
            throw new InsufficientMemoryException($"no memory for {bytes / 1048576.0:N0} MiB of weights", e);
        }
        Start = (byte*)(handle + HugePage - 1 & -HugePage);
        if (OperatingSystem.IsLinux() && bytes >= HugePage)
            _ = Advise(Start, (nuint)bytes, AdviceHugePage); // an advice: without it all works too
    }

    /// <summary>First byte, at the start of a page.</summary>
    public byte* Start { get; }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        NativeMemory.Free((void*)handle);
        return true;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
