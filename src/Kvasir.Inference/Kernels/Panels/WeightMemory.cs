using System.Runtime.InteropServices;
using Kvasir.Formats;
using Kvasir.KvCache.Blocks;

namespace Kvasir.Inference.Kernels.Panels;

/// <summary>
/// One stretch of memory for all of a model's weights: the process's own, zeroed, or a file's, which processes share.
/// </summary>
sealed unsafe class WeightMemory : IDisposable
{
    readonly IDisposable _owner;

    /// <summary>
    /// Memory of its own. Where the system has huge pages it is asked for them: a decode step touches every page once, and with small ones
    /// the walks through page tables cost some 5 % of the bandwidth.
    /// </summary>
    /// <exception cref="InsufficientMemoryException">There is not so much memory.</exception>
    public WeightMemory(long bytes)
    {
        var allocation = new Allocation(bytes);
        _owner = allocation;
        Start = allocation.Start;
    }

    /// <summary>A file's.</summary>
    /// <param name="file">The file, which is closed with the memory.</param>
    /// <param name="offset">Where in it weights begin: at a multiple of <see cref="PanelFormat.Alignment"/>.</param>
    public WeightMemory(MappedFile file, int offset)
    {
        _owner = file;
        Start = file.Start + offset;
    }

    /// <summary>First byte, aligned to <see cref="PanelFormat.Alignment"/>.</summary>
    public byte* Start { get; }

    public void Dispose() => _owner.Dispose();

    sealed class Allocation : SafeHandle
    {
        public Allocation(long bytes) : base(0, ownsHandle: true)
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

        public byte* Start { get; }

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            NativeMemory.Free((void*)handle);
            return true;
        }
    }
}
