using System.Runtime.InteropServices;
using Kvasir.KvCache.Blocks;

namespace Kvasir.Inference.Kernels.Panels;

/// <summary>
/// One zeroed stretch of native memory for all of a model's weights. Where the system has them it is asked for huge pages: a decode step
/// touches every page once, and with small ones the walks through page tables cost some 5 % of the bandwidth.
/// </summary>
sealed unsafe class WeightMemory : SafeHandle
{
    /// <exception cref="InsufficientMemoryException">There is not so much memory.</exception>
    public WeightMemory(long bytes) : base(0, ownsHandle: true)
    {
        try
        {
            SetHandle((nint)NativeMemory.AllocZeroed(checked((nuint)bytes + HugePages.Bytes)));
        }
        catch (OutOfMemoryException e)
        {
            throw new InsufficientMemoryException($"no memory for {bytes / 1048576.0:N0} MiB of weights", e);
        }
        Start = (byte*)(handle + HugePages.Bytes - 1 & -HugePages.Bytes);
        HugePages.Advise(Start, bytes);
    }

    /// <summary>First byte, at the start of a page.</summary>
    public byte* Start { get; }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        NativeMemory.Free((void*)handle);
        return true;
    }
}
