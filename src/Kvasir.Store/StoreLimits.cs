using System.Numerics;

namespace Kvasir.Store;

/// <summary>How the memory of a store's process is divided. Sizes are powers of two where the server would round them down.</summary>
/// <param name="Log">Values with their names.</param>
/// <param name="Page">The unit in which they are forgotten or written to the disk.</param>
/// <param name="Index">Where each name is. What it grows by is taken from the log.</param>
/// <param name="Buffers">What connections may hold.</param>
/// <param name="Segment">A file on the disk.</param>
/// <param name="Segments">Files there after which the oldest goes.</param>
readonly record struct StoreLimits(long Log, long Page, long Index, long Buffers, long Segment, int Segments)
{
    const long MiB = 1 << 20;
    const long Runtime = 96 * MiB; // measured: the process without values, and what is between its uses

    /// <summary>The most that lies in a page beside others; what is larger would be an object of the garbage collector's.</summary>
    public long Inline => Math.Min(Page / 2, (16 * MiB) - 64);

    public static StoreLimits Of(StoreOptions options)
    {
        long memory = options.MemoryBytes;
        long index = PowerOfTwo(memory / 256, 1 * MiB, 1 << 30), buffers = Math.Max(32 * MiB, memory / 16);
        long segment = PowerOfTwo(options.DiskBytes / 16, 16 * MiB, 1 << 30);
        return new StoreLimits(memory - Runtime - index - buffers, PowerOfTwo(memory / 32, 8 * MiB, 16 * MiB), index, buffers, segment,
            (int)Math.Min(options.DiskBytes / segment - 2, int.MaxValue)); // one is being written, and one is gone a second late
    }

    static long PowerOfTwo(long bytes, long least, long most) => Math.Clamp(1L << BitOperations.Log2((ulong)bytes), least, most);
}
