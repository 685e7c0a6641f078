using System.Diagnostics;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers.Disk;
using Microsoft.Win32.SafeHandles;

namespace Kvasir.Inference.Measurement.Speed;

/// <summary>
/// What memory and a disk give at this moment. On shared machines both change within seconds by half and more: a transfer can only be
/// compared with what was possible right before it.
/// </summary>
public sealed class PassingLimits : IDisposable
{
    const int Passes = 4, Request = 4 << 20, InFlight = 4;

    readonly MemoryTraffic _memory;
    readonly ComputePool _pool;

    /// <param name="threads">Threads that copy.</param>
    public PassingLimits(int threads) => (_memory, _pool) = (new MemoryTraffic(threads), new ComputePool(threads));

    /// <summary>Bytes copied per second: the best of a few short passes.</summary>
    public double Copy() => Enumerable.Range(0, Passes).Max(_ =>
    {
        long start = Stopwatch.GetTimestamp();
        _memory.Copy(_pool);
        return _memory.RunBytes / Stopwatch.GetElapsedTime(start).TotalSeconds;
    });

    /// <summary>
    /// Bytes read per second from the beginning of a file, past the system's cache, in long requests of which several are in flight.
    /// </summary>
    public static double Read(string path, long bytes)
    {
        using SafeFileHandle file = DirectFile.Open(path, writable: false);
        int requests = (int)(bytes / Request), next = -1;
        long start = 0;
        using var ready = new Barrier(InFlight, _ => start = Stopwatch.GetTimestamp());
        Task.WhenAll(Enumerable.Range(0, InFlight).Select(_ => Task.Factory.StartNew(() =>
        {
            using var buffer = new NativeBuffer(Request);
            buffer.Span.Clear();
            ready.SignalAndWait();
            while (Interlocked.Increment(ref next) is var request && request < requests)
                RandomAccess.Read(file, buffer.Span, (long)request * Request);
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))).GetAwaiter().GetResult();
        return (double)requests * Request / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _pool.Dispose();
        _memory.Dispose();
    }
}
