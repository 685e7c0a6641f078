using System.Numerics;
using System.Runtime.CompilerServices;
using Kvasir.Inference.Kernels;
using Kvasir.KvCache.Blocks;

namespace Kvasir.Inference.Measurement;

/// <summary>
/// Memory far beyond the caches, and two ways to walk through it. On an AMD EPYC (Zen 5), 512-bit loads and prefetching 1 to 16 KiB ahead read no
/// faster than these four accumulators, and four streams at once slower; copying past the cache was a fifth faster than <c>memcpy</c>,
/// which first reads what it will overwrite.
/// </summary>
sealed unsafe class MemoryTraffic : IDisposable
{
    const int ItemBytes = 256 << 10;
    const long LeastBytes = 64L << 20, MostBytes = 1L << 30;

    readonly ComputePool _pool;
    readonly BlockArena _memory;
    readonly int _items;
    readonly ulong[] _sums;

    public MemoryTraffic(ComputePool pool)
    {
        _items = (int)(Math.Clamp(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 16, LeastBytes, MostBytes) / ItemBytes);
        (_pool, _sums) = (pool, new ulong[pool.Threads]);
        _memory = new BlockArena(ItemBytes, _items);
        // Touched by all threads, so that it spreads over the memory of all sockets.
        var touch = new Touch(_memory);
        pool.Run(ref touch, _items);
    }

    /// <summary>Bytes that <see cref="Read"/> reads.</summary>
    public double Bytes => (double)_items * ItemBytes;

    /// <summary>Bytes that <see cref="Copy"/> reads, and writes.</summary>
    public double CopiedBytes => (double)(_items / 2) * ItemBytes;

    public void Read()
    {
        var job = new ReadJob(_memory, _sums);
        _pool.Run(ref job, _items);
    }

    /// <summary>Copies the first half onto the second.</summary>
    public void Copy()
    {
        var job = new CopyJob(_memory, _items / 2);
        _pool.Run(ref job, _items / 2);
    }

    public void Dispose() => _memory.Dispose();

    readonly struct Touch(BlockArena memory) : IComputeJob
    {
        public void Run(int item, int thread) => new Span<byte>(memory.Address(new BlockId(item)), ItemBytes).Fill((byte)item);
    }

    readonly struct ReadJob(BlockArena memory, ulong[] sums) : IComputeJob
    {
        public void Run(int item, int thread) => sums[thread] ^= Fold((ulong*)memory.Address(new BlockId(item))); // kept, or the loop would go

        [MethodImpl(MethodImplOptions.NoInlining)]
        static ulong Fold(ulong* item)
        {
            Vector<ulong> a = default, b = default, c = default, d = default;
            for (ulong* p = item; p < item + ItemBytes / sizeof(ulong); p += 4 * Vector<ulong>.Count)
            {
                a ^= Vector.Load(p);
                b ^= Vector.Load(p + Vector<ulong>.Count);
                c ^= Vector.Load(p + 2 * Vector<ulong>.Count);
                d ^= Vector.Load(p + 3 * Vector<ulong>.Count);
            }
            return Vector.Sum(a ^ b ^ c ^ d);
        }
    }

    readonly struct CopyJob(BlockArena memory, int distance) : IComputeJob
    {
        public void Run(int item, int thread) => Copy(memory.Address(new BlockId(item)), memory.Address(new BlockId(item + distance)));

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void Copy(byte* from, byte* to)
        {
            for (int i = 0; i < ItemBytes; i += 2 * Vector<byte>.Count)
            {
                Vector<byte> a = Vector.Load(from + i), b = Vector.Load(from + i + Vector<byte>.Count);
                a.StoreAlignedNonTemporal(to + i);
                b.StoreAlignedNonTemporal(to + i + Vector<byte>.Count);
            }
        }
    }
}
