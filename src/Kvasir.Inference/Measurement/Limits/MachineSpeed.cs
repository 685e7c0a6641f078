using System.Diagnostics;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Measurement.Speed;

namespace Kvasir.Inference.Measurement.Limits;

/// <summary>
/// Measures what the processor and its memory can do at best. The best of many short runs counts, because others may use the machine too,
/// and an understated limit makes every percentage wrong.
/// </summary>
public static class MachineSpeed
{
    const int Pools = 4; // threads that the system put on one core may stay there; new ones are placed anew
    const int LeastRuns = 4;
    const int ItemsPerThread = 32; // a thread that comes late leaves its share to the others
    const double RunSeconds = 0.001; // long beside what it takes to wake the threads, shorter than the slice of time of a thread among many
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(0.15); // at least, with each pool

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
        string with = threads == 1 ? "1 thread" : $"{threads} threads";
        InstructionSet set = InstructionSets.Chosen();
        progress?.Report($"reading memory, {with}");
        using var memory = new MemoryTraffic(threads);
        double read = memory.RunBytes / Best(threads, memory.Read, cancellation);
        progress?.Report($"copying memory, {with}");
        double copy = memory.RunBytes / Best(threads, memory.Copy, cancellation);
        progress?.Report($"fp32 arithmetic, {with}");
        (double fp32, _) = Peak(threads, ArithmeticPeak.Fp32(set), cancellation);
        progress?.Report($"int8 arithmetic, {with}");
        (double int8, string instructions) = Peak(threads, ArithmeticPeak.Int8(set), cancellation);
        return new ThreadLimits(threads, read, copy, fp32, int8, instructions, DateTimeOffset.UtcNow);
    }

    /// <summary>Operations per second of the fastest loop, and its name.</summary>
    static (double, string) Peak(int threads, IEnumerable<PeakLoop> loops, CancellationToken cancellation) =>
        loops.Select(loop => (PerSecond(threads, loop, cancellation), loop.Name)).Max();

    static double PerSecond(int threads, PeakLoop loop, CancellationToken cancellation)
    {
        long rounds = 1 << 8;
        while (Seconds(() => loop.Run(rounds)) < RunSeconds / ItemsPerThread)
            rounds *= 2;
        int items = ItemsPerThread * threads;
        return loop.Operations * (double)rounds * items / Best(threads, pool => Run(pool, new PeakJob(loop, rounds), items), cancellation);
    }

    static void Run(ComputePool pool, PeakJob job, int items) => pool.Run(ref job, items);

    /// <summary>Seconds of the fastest run.</summary>
    static double Best(int threads, Action<ComputePool> run, CancellationToken cancellation)
    {
        double best = double.PositiveInfinity;
        for (int i = 0; i < Pools; i++)
        {
            using var pool = new ComputePool(threads);
            var clock = Stopwatch.StartNew();
            for (int runs = 0; runs < LeastRuns || clock.Elapsed < s_patience; runs++)
            {
                cancellation.ThrowIfCancellationRequested();
                best = Math.Min(best, Seconds(() => run(pool)));
            }
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
