using System.Diagnostics;
using Kvasir.Inference.Kernels;

namespace Kvasir.Inference.Measurement;

/// <summary>
/// Measures what the processor and its memory can do at best. The best of several short runs counts, because others may use the machine too,
/// and an understated limit makes every percentage wrong.
/// </summary>
public static class MachineSpeed
{
    const int LeastRuns = 10;
    const double RunSeconds = 0.005; // at least: long beside what it takes to wake the threads
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(0.5); // at least: others do not use the machine all of this time

    /// <summary>What <see cref="Measure"/> reports, one after the other.</summary>
    public const int Steps = 4;

    /// <summary>1, 2, 4 … and as many as the machine has.</summary>
    public static IEnumerable<int> ThreadCounts(int most)
    {
        for (int threads = 1; threads < most; threads *= 2)
            yield return threads;
        yield return most;
    }

    /// <summary>Measures with so many threads.</summary>
    /// <param name="threads">At least 1.</param>
    /// <param name="progress">Hears what is about to be measured.</param>
    /// <param name="cancellation">Ends the measurement between two runs.</param>
    /// <exception cref="InsufficientMemoryException">No memory to read and copy.</exception>
    public static ThreadLimits Measure(int threads, IProgress<string>? progress = null, CancellationToken cancellation = default)
    {
        using var pool = new ComputePool(threads);
        using var memory = new MemoryTraffic(pool);
        InstructionSet set = InstructionSets.Chosen();
        progress?.Report($"reading memory, {Count(threads)}");
        double read = memory.Bytes / Best(memory.Read, cancellation);
        progress?.Report($"copying memory, {Count(threads)}");
        double copy = memory.CopiedBytes / Best(memory.Copy, cancellation);
        progress?.Report($"fp32 arithmetic, {Count(threads)}");
        (double fp32, _) = Peak(pool, ArithmeticPeak.Fp32(set), cancellation);
        progress?.Report($"int8 arithmetic, {Count(threads)}");
        (double int8, string with) = Peak(pool, ArithmeticPeak.Int8(set), cancellation);
        return new ThreadLimits(threads, read, copy, fp32, int8, with, DateTimeOffset.UtcNow);
    }

    static string Count(int threads) => threads == 1 ? "1 thread" : $"{threads} threads";

    /// <summary>Operations per second of the fastest loop, and its name.</summary>
    static (double, string) Peak(ComputePool pool, IEnumerable<PeakLoop> loops, CancellationToken cancellation) =>
        loops.Select(loop => (PerSecond(pool, loop, cancellation), loop.Name)).Max();

    static double PerSecond(ComputePool pool, PeakLoop loop, CancellationToken cancellation)
    {
        long rounds = 1 << 12;
        while (Seconds(() => Run(pool, loop, rounds)) < RunSeconds)
            rounds *= 2;
        return loop.Operations * (double)rounds * pool.Threads / Best(() => Run(pool, loop, rounds), cancellation);
    }

    static void Run(ComputePool pool, PeakLoop loop, long rounds)
    {
        var job = new PeakJob(loop, rounds);
        pool.Run(ref job, pool.Threads);
    }

    static double Best(Action run, CancellationToken cancellation)
    {
        double best = double.PositiveInfinity;
        var clock = Stopwatch.StartNew();
        for (int i = 0; i < LeastRuns || clock.Elapsed < s_patience; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            best = Math.Min(best, Seconds(run));
        }
        return best;
    }

    static double Seconds(Action run)
    {
        long start = Stopwatch.GetTimestamp();
        run();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    readonly struct PeakJob(PeakLoop loop, long rounds) : IComputeJob
    {
        public void Run(int item, int thread) => loop.Run(rounds);
    }
}
