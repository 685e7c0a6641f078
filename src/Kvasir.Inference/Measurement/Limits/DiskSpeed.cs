using System.Diagnostics;
using Kvasir.Formats;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Tiers.Disk;
using Microsoft.Win32.SafeHandles;

namespace Kvasir.Inference.Measurement.Limits;

/// <summary>
/// Measures the disk below a directory with a file that is gone afterwards. Four requests are in flight, because a disk with one at a time
/// waits for whoever asks.
/// </summary>
public sealed class DiskSpeed
{
    const int FileBytes = 256 << 20, Long = 4 << 20, Short = 256 << 10, Flushes = 20, InFlight = 4, Passes = 3;
    const long LeastFree = 2L * FileBytes;
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2); // for one pass: a slow disk is measured by less

    /// <summary>What <see cref="Measure"/> reports, one after the other.</summary>
    public const int Steps = 4;

    readonly SafeFileHandle _file;
    readonly Memory<byte>[] _buffers = [.. Enumerable.Range(0, InFlight).Select(_ => Noise())];
    readonly CancellationToken _cancellation;
    int _written = FileBytes;

    DiskSpeed(SafeFileHandle file, CancellationToken cancellation) => (_file, _cancellation) = (file, cancellation);

    /// <summary>Measures.</summary>
    /// <param name="folder">A directory; named by its full path in the result.</param>
    /// <param name="progress">Hears what is about to be measured.</param>
    /// <param name="cancellation">Ends the measurement at the next request.</param>
    /// <exception cref="IOException">The disk cannot be measured: full, read-only, missing; the message says which.</exception>
    public static DiskLimits Measure(string folder, IProgress<string>? progress = null, CancellationToken cancellation = default)
    {
        folder = Path.GetFullPath(folder);
        if (!Directory.Exists(folder))
            throw new IOException($"{folder}: no such directory");
        try
        {
            long free = new DriveInfo(folder).AvailableFreeSpace;
            if (free < LeastFree)
                throw new IOException($"{folder}: {free >> 20} MiB are free, expected {LeastFree >> 20}");
            using SafeFileHandle file = DirectFile.OpenTemporary(folder, out bool direct);
            return new DiskSpeed(file, cancellation).MeasureFile(folder, direct, progress);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or ArgumentException)
        {
            throw new IOException(e.Message, e);
        }
    }

    DiskLimits MeasureFile(string folder, bool direct, IProgress<string>? progress)
    {
        progress?.Report("disk: small writes");
        double flush = FlushSeconds();
        progress?.Report("disk: writing");
        double write = Best(Write);
        progress?.Report("disk: reading");
        double read = Best(() => Requests(_written / Long, Long, Read));
        progress?.Report("disk: reading here and there");
        double random = Best(() => Requests(_written / Short, Short, (i, buffer) => Read(Scattered(i, _written / Short), buffer)));
        return new DiskLimits(folder, direct, write, read, random, flush, DateTimeOffset.UtcNow);
    }

    double FlushSeconds()
    {
        double[] seconds = new double[Flushes];
        for (int i = 0; i < Flushes; i++)
        {
            _cancellation.ThrowIfCancellationRequested();
            long start = Stopwatch.GetTimestamp();
            Write(i, _buffers[0][..KvLayout.PageBytes]);
            RandomAccess.FlushToDisk(_file);
            seconds[i] = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        return Percentile.Median(seconds);
    }

    /// <summary>Writes the file, and tells of how much of it there is to read.</summary>
    long Write()
    {
        long bytes = Requests(FileBytes / Long, Long, Write);
        RandomAccess.FlushToDisk(_file);
        _written = (int)Math.Min(_written, bytes);
        return bytes;
    }

    void Write(int request, Memory<byte> buffer) => RandomAccess.Write(_file, buffer.Span, (long)request * buffer.Length);

    void Read(int request, Memory<byte> buffer) => RandomAccess.Read(_file, buffer.Span, (long)request * buffer.Length);

    /// <summary>Bytes per second of the best pass.</summary>
    static double Best(Func<long> pass) => Enumerable.Range(0, Passes).Max(_ =>
    {
        long start = Stopwatch.GetTimestamp();
        long bytes = pass();
        return bytes / Stopwatch.GetElapsedTime(start).TotalSeconds;
    });

    /// <summary>Runs requests in order, several in flight, until all are done or patience ends, and returns their bytes.</summary>
    long Requests(int count, int bytes, Action<int, Memory<byte>> request)
    {
        var clock = Stopwatch.StartNew();
        int next = -1, done = 0;
        Task.WhenAll(_buffers.Select(buffer => Task.Factory.StartNew(() =>
        {
            while (clock.Elapsed < s_patience && Interlocked.Increment(ref next) is var i && i < count)
            {
                _cancellation.ThrowIfCancellationRequested();
                request(i, buffer[..bytes]);
                Interlocked.Increment(ref done);
            }
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))).GetAwaiter().GetResult();
        return (long)done * bytes;
    }

    /// <summary>Each place once, far from the one before.</summary>
    static int Scattered(int request, int places) => (int)(request * 397L % places);

    /// <summary>Bytes that no disk can compress, aligned for direct requests.</summary>
    static Memory<byte> Noise()
    {
        byte[] bytes = GC.AllocateUninitializedArray<byte>(Long + KvLayout.PageBytes, pinned: true);
        Random.Shared.NextBytes(bytes);
        unsafe
        {
            fixed (byte* first = bytes)
                return bytes.AsMemory((int)(-(nint)first & (KvLayout.PageBytes - 1)), Long);
        }
    }
}
