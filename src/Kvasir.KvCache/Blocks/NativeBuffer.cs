using System.Buffers;
using System.Runtime.InteropServices;
using Kvasir.KvCache.Layout;

namespace Kvasir.KvCache.Blocks;

/// <summary>Memory of whole pages, for requests that bypass the system's cache.</summary>
public sealed unsafe class NativeBuffer : SafeHandle
{
    /// <param name="bytes">Its size.</param>
    public NativeBuffer(int bytes) : base(0, ownsHandle: true)
    {
        Bytes = bytes;
        SetHandle((nint)NativeMemory.AlignedAlloc((nuint)bytes, KvLayout.PageBytes));
    }

    /// <summary>Its size.</summary>
    public int Bytes { get; }

    /// <summary>Its first byte.</summary>
    internal byte* Address => (byte*)handle;

    /// <summary>The memory.</summary>
    public Span<byte> Span => new(Address, Bytes);

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        return true;
    }
}

/// <summary>Native memory as the scattered reads of <see cref="RandomAccess"/> take it.</summary>
sealed unsafe class NativeMemoryView(byte* address, int bytes) : MemoryManager<byte>
{
    /// <inheritdoc/>
    public override Span<byte> GetSpan() => new(address, bytes);

    /// <inheritdoc/>
    public override MemoryHandle Pin(int elementIndex = 0) => new(address + elementIndex);

    /// <inheritdoc/>
    public override void Unpin() { }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) { }
}
