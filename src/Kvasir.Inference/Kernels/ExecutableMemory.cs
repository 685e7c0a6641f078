using System.IO.MemoryMappedFiles;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Machine code in memory that may be run and not written: it is written through a second view of the same pages, which is then closed.
/// </summary>
sealed unsafe class ExecutableMemory
{
    readonly MemoryMappedFile _pages;
    readonly MemoryMappedViewAccessor _view;
    readonly byte* _start;

    /// <exception cref="IOException">The system does not let programs make code.</exception>
    /// <exception cref="UnauthorizedAccessException">Likewise.</exception>
    public ExecutableMemory(byte[] code)
    {
        _pages = MemoryMappedFile.CreateNew(null, code.Length, MemoryMappedFileAccess.ReadWriteExecute);
        using (MemoryMappedViewAccessor writable = _pages.CreateViewAccessor(0, code.Length, MemoryMappedFileAccess.ReadWrite))
            writable.WriteArray(0, code, 0, code.Length);
        _view = _pages.CreateViewAccessor(0, code.Length, MemoryMappedFileAccess.ReadExecute);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start); // never released: the code lives as long as the process
    }

    /// <summary>The first byte.</summary>
    public nint Address => (nint)_start;
}
