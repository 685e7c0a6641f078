using System.Runtime.InteropServices;
using Kvasir.KvCache.Layout;

namespace Kvasir.KvCache.Blocks;

/// <summary>
/// Native memory for a fixed number of blocks. The operating system commits its pages when they are first written, so a large arena
/// costs what is used of it. A block takes whole pages, so that a disk can be read into it. A span's length is an <see cref="int"/>: memory
/// is handed out block by block, never as a whole.
/// </summary>
public sealed unsafe class NativeArena : SafeHandle, IBlockArena
{
    readonly long _stride;

    /// <param name="blockBytes">Bytes of a block, a multiple of <see cref="KvLayout.Alignment"/>, at most
    /// <see cref="int.MaxValue"/>.</param>
    /// <param name="blocks">Number of blocks; at least 1.</param>
    /// <exception cref="InsufficientMemoryException">The memory is not to be had; the message says how much was asked for.</exception>
    public NativeArena(long blockBytes, int blocks) : base(0, ownsHandle: true)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blocks, 1);
        if (blockBytes is < 1 or > int.MaxValue || blockBytes % KvLayout.Alignment != 0)
            throw new ArgumentOutOfRangeException(nameof(blockBytes), blockBytes,
                $"expected a positive multiple of {KvLayout.Alignment} below 2 GiB");
        (_stride, Blocks) = ((blockBytes + KvLayout.PageBytes - 1) / KvLayout.PageBytes * KvLayout.PageBytes, blocks);
        try
        {
            long bytes = checked(_stride * blocks);
            SetHandle(
                (nint)NativeMemory.AlignedAlloc((nuint)bytes, (nuint)(bytes >= HugePages.Bytes ? HugePages.Bytes : KvLayout.PageBytes)));
            HugePages.Advise((byte*)handle, bytes);
        }
        catch (OutOfMemoryException)
        {
            throw new InsufficientMemoryException($"no memory for a pool of {blocks:N0} blocks of {blockBytes:N0} bytes "
                + $"({blockBytes * (double)blocks / (1L << 30):0.0} GiB)");
        }
    }

    /// <param name="layout">Shape of a block.</param>
    /// <param name="blocks">Number of blocks; at least 1.</param>
    /// <exception cref="InsufficientMemoryException">The memory is not to be had; the message says how much was asked for.</exception>
    public NativeArena(KvLayout layout, int blocks)
        : this((layout ?? throw new ArgumentNullException(nameof(layout))).BlockBytes, blocks) { }

    /// <inheritdoc/>
    public int Blocks { get; }

    /// <inheritdoc/>
    public bool IsHostMemory => true;

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <inheritdoc/>
    public byte* Address(BlockId block)
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)block.Index, (uint)Blocks);
        return (byte*)handle + block.Index * _stride;
    }

    /// <inheritdoc/>
    public void Copy(BlockId source, BlockId target, long offset, long bytes) =>
        BlockCopy.Copy(Address(source) + offset, Address(target) + offset, bytes);

    /// <inheritdoc/>
    public void Read(BlockId source, long offset, byte* destination, long bytes) =>
        BlockCopy.Copy(Address(source) + offset, destination, bytes);

    /// <inheritdoc/>
    public void Write(BlockId target, long offset, byte* source, long bytes) => BlockCopy.Copy(source, Address(target) + offset, bytes);

    /// <inheritdoc/>
    public void Clear(BlockId block, long offset, long bytes) => NativeMemory.Clear(Address(block) + offset, (nuint)bytes);

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        return true;
    }
}
