using System.Numerics;
using System.Runtime.CompilerServices;
using Kvasir.Inference.Kernels;
using Kvasir.KvCache.Blocks;

namespace Kvasir.Inference.Measurement.Limits;

/// <summary>
/// Memory far beyond the caches, and two ways to walk through it. On an AMD EPYC (Zen 5), 512-bit loads and prefetching 1 to 16 KiB ahead
/// read no faster than these four accumulators, and four streams at once slower; copying past the cache was a fifth faster than
/// <c>memcpy</c>, which first reads what it will overwrite.
/// </summary>
sealed unsafe class MemoryTraffic : IDisposable
{
    const int ItemBytes = 256 << 10, ItemsPerThread = 128;
    const long LeastBytes = 64L << 20, MostBytes = 1L << 30;

    /// <summary>What <see cref="Fold"/> reads at a time.</summary>
    public static int StepBytes => 4 * Vector<byte>.Count;

    readonly NativeArena _memory;
    readonly int _items, _itemsPerRun;
    readonly ulong[] _sums;
    int _next;

    public MemoryTraffic(int threads)
    {
        _items = (int)(Math.Clamp(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 16, LeastBytes, MostBytes) / ItemBytes);
        _itemsPerRun = Math.Min(_items / 2, threads * ItemsPerThread);
        _sums = new ulong[threads];
        _memory = new NativeArena(ItemBytes, _items);
        // Touched by all threads, so that it spreads over the memory of all sockets.
        using var pool = new ComputePool(threads);
        var touch = new Touch(_memory);
        pool.Run(ref touch, _items);
    }

    /// <summary>Bytes that a run reads or copies: a stretch of the memory, the next run the next.</summary>
    public double RunBytes => (double)_itemsPerRun * ItemBytes;

    public void Read(ComputePool pool)
    {
        var job = new ReadJob(_memory, Next(_items), _sums);
        pool.Run(ref job, _itemsPerRun);
    }

    /// <summary>Copies from the first half to the second.</summary>
    public void Copy(ComputePool pool)
    {
        var job = new CopyJob(_memory, Next(_items / 2), _items / 2);
        pool.Run(ref job, _itemsPerRun);
    }

    /// <summary>Reads bytes, whole steps, and makes one word of them.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static ulong Fold(ulong* memory, int bytes)
    {
        Vector<ulong> a = default, b = default, c = default, d = default;
        for (ulong* p = memory; p < memory + bytes / sizeof(ulong); p += 4 * Vector<ulong>.Count)
        {
            a ^= Vector.Load(p);
            b ^= Vector.Load(p + Vector<ulong>.Count);
            c ^= Vector.Load(p + 2 * Vector<ulong>.Count);
            d ^= Vector.Load(p + 3 * Vector<ulong>.Count);
        }
        return Vector.Sum(a ^ b ^ c ^ d);
    }

    int Next(int items)
    {
        _next = _next + 2 * _itemsPerRun <= items ? _next + _itemsPerRun : 0;
        return _next;
    }

    public void Dispose() => _memory.Dispose();

    readonly struct Touch(NativeArena memory) : IComputeJob
    {
        public void Run(int item, int thread) => new Span<byte>(memory.Address(new BlockId(item)), ItemBytes).Fill((byte)item);
    }

    readonly struct ReadJob(NativeArena memory, int first, ulong[] sums) : IComputeJob
    {
        // kept, or the loop would go
        public void Run(int item, int thread) => sums[thread] ^= Fold((ulong*)memory.Address(new BlockId(first + item)), ItemBytes);
    }

    readonly struct CopyJob(NativeArena memory, int first, int distance) : IComputeJob
    {
        public void Run(int item, int thread) =>
            Copy(memory.Address(new BlockId(first + item)), memory.Address(new BlockId(first + item + distance)));

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
