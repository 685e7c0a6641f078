using System.Numerics;
using Kvasir.KvCache.Layout;

namespace Kvasir.KvCache.Blocks;

/// <summary>
/// Copies parts of blocks past the processor's caches: what is copied is larger than they are, and a store that does not have to read its
/// line first moves a third less.
/// </summary>
static unsafe class BlockCopy
{
    /// <summary>Copies bytes between places that are aligned as layers are.</summary>
    /// <param name="from">The source, aligned to <see cref="KvLayout.Alignment"/>.</param>
    /// <param name="to">The destination, aligned likewise.</param>
    /// <param name="bytes">How many; a multiple of <see cref="KvLayout.Alignment"/>.</param>
    public static void Copy(byte* from, byte* to, long bytes)
    {
        for (byte* end = from + bytes; from < end; from += KvLayout.Alignment, to += KvLayout.Alignment)
            for (int i = 0; i < KvLayout.Alignment; i += Vector<byte>.Count)
                Vector.StoreAlignedNonTemporal(Vector.LoadAligned(from + i), to + i);
    }
}
