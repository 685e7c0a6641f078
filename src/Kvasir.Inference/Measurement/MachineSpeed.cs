using System.Diagnostics;
using System.Runtime.CompilerServices;
using Kvasir.Inference.Kernels;

namespace Kvasir.Inference.Measurement;

/// <summary>
/// What this machine can do at best: the limits beside which speeds are printed. The best of several short runs counts, because others may use the
/// machine too.
/// </summary>
public static class MachineSpeed
{
    const int Runs = 7;
    const int Floats = 64 << 20; // 256 MiB, beyond any cache

    /// <summary>Bytes per second that so many threads read from memory, summing what they read.</summary>
    public static double ReadBandwidth(int threads)
    {
        using var pool = new ComputePool(threads);
        using var memory = new FloatRows(Floats >> 16, 1 << 16);
        float[] sums = new float[threads];
        double seconds = Best(() => Sum(pool, memory, sums));
        return (double)Floats * sizeof(float) / seconds;
    }

    /// <summary>Single-precision operations per second of so many threads, a fused multiply-add counting two.</summary>
    public static double Fp32Peak(int threads)
    {
        const int rounds = 1 << 20;
        using var pool = new ComputePool(threads);
        float[] sums = new float[threads];
        double seconds = Best(() => Multiply(pool, sums, rounds));
        return 2.0 * rounds * Chains * ILanes<LanesScalar>.Count * threads / seconds;
    }

    const int Chains = 12; // independent, so that latency is hidden

    static double Best(Action run)
    {
        run();
        return Enumerable.Range(0, Runs).Min(_ =>
        {
            long start = Stopwatch.GetTimestamp();
            run();
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        });
    }

    static void Sum(ComputePool pool, FloatRows memory, float[] sums)
    {
        switch (InstructionSets.Chosen())
        {
            case InstructionSet.Vector512: Run(new SumRow<Lanes512>(memory, sums), pool, memory.Rows); break;
            case InstructionSet.Vector256: Run(new SumRow<Lanes256>(memory, sums), pool, memory.Rows); break;
            default: Run(new SumRow<LanesScalar>(memory, sums), pool, memory.Rows); break;
        }
    }

    static void Multiply(ComputePool pool, float[] sums, int rounds)
    {
        switch (InstructionSets.Chosen())
        {
            case InstructionSet.Vector512: Run(new MultiplyChains<Lanes512>(sums, rounds), pool, pool.Threads); break;
            case InstructionSet.Vector256: Run(new MultiplyChains<Lanes256>(sums, rounds), pool, pool.Threads); break;
            default: Run(new MultiplyChains<LanesScalar>(sums, rounds / 16), pool, pool.Threads); break;
        }
    }

    static void Run<TJob>(TJob job, ComputePool pool, int items) where TJob : struct, IComputeJob => pool.Run(ref job, items);

    unsafe struct SumRow<T>(FloatRows memory, float[] sums) : IComputeJob where T : struct, ILanes<T>
    {
        public readonly void Run(int item, int thread)
        {
            float* row = memory[item];
            T a = default, b = default, c = default, d = default;
            for (int i = 0; i < memory.Width; i += 4 * ILanes<T>.Count)
            {
                a += T.Load(row + i);
                b += T.Load(row + i + ILanes<T>.Count);
                c += T.Load(row + i + 2 * ILanes<T>.Count);
                d += T.Load(row + i + 3 * ILanes<T>.Count);
            }
            sums[thread] += T.Sum(a + b + (c + d)); // kept, so that the loop is not optimised away
        }
    }

    struct MultiplyChains<T>(float[] sums, int rounds) : IComputeJob where T : struct, ILanes<T>
    {
        public readonly void Run(int item, int thread)
        {
            T sum = Chain(rounds);
            sums[item] += T.Sum(sum);
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        static T Chain(int rounds)
        {
            T x = T.Broadcast(0.999f), y = T.Broadcast(0.001f);
            T a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
            for (int round = 0; round < rounds; round++)
            {
                a = T.MultiplyAdd(a, x, y);
                b = T.MultiplyAdd(b, x, y);
                c = T.MultiplyAdd(c, x, y);
                d = T.MultiplyAdd(d, x, y);
                e = T.MultiplyAdd(e, x, y);
                f = T.MultiplyAdd(f, x, y);
                g = T.MultiplyAdd(g, x, y);
                h = T.MultiplyAdd(h, x, y);
                i = T.MultiplyAdd(i, x, y);
                j = T.MultiplyAdd(j, x, y);
                k = T.MultiplyAdd(k, x, y);
                l = T.MultiplyAdd(l, x, y);
            }
            return a + b + c + d + (e + f + g + h) + (i + j + k + l);
        }
    }
}
