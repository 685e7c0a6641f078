namespace Kvasir.KvCache.Blocks;

/// <summary>
/// The memory of a pool's blocks, and its copy engine: the host's own memory, or a device's, which the processor cannot reach and whose
/// addresses only mean something to those who compute there. Offsets and lengths are multiples of <see cref="Layout.KvLayout.Alignment"/>,
/// but for those of <see cref="Clear"/>. Thread-safe for different blocks.
/// </summary>
public unsafe interface IBlockArena : IDisposable
{
    /// <summary>Blocks that it has memory for.</summary>
    int Blocks { get; }

    /// <summary>Whether the processor and the system's I/O reach the memory at its addresses.</summary>
    bool IsHostMemory { get; }

    /// <summary>First byte of a block as those who compute reach it; valid until the arena is disposed.</summary>
    /// <exception cref="ObjectDisposedException">The arena is disposed.</exception>
    byte* Address(BlockId block);

    /// <summary>Copies a part of a block to the same place in another one.</summary>
    void Copy(BlockId source, BlockId target, long offset, long bytes);

    /// <summary>Copies a part of a block out to the host's memory.</summary>
    void Read(BlockId source, long offset, byte* destination, long bytes);

    /// <summary>Copies from the host's memory into a part of a block.</summary>
    void Write(BlockId target, long offset, byte* source, long bytes);

    /// <summary>Sets bytes of a block to zero.</summary>
    void Clear(BlockId block, long offset, long bytes);
}
