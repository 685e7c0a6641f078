using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Measurement.Speed;

namespace Kvasir.Inference.Measurement.Limits;

/// <summary>A loop that does nothing but arithmetic, from registers.</summary>
/// <param name="Name">The instructions, as people call them.</param>
/// <param name="Operations">Operations of one round; a multiply-add is two.</param>
/// <param name="Run">Runs so many rounds on the calling thread.</param>
sealed record PeakLoop(string Name, long Operations, Action<long> Run);

/// <summary>The loops whose fastest is the machine's peak. A kernel with better instructions adds its loop here.</summary>
static class ArithmeticPeak
{
    const int Chains = 12; // independent, so that latency is hidden; with two operands they fit sixteen registers

    public static IEnumerable<PeakLoop> Fp32(InstructionSet set)
    {
        if (set >= InstructionSet.Vector512)
            yield return Loop<Fma512, Vector512<byte>>("AVX-512 FMA", Vector512.Create(0.999f).AsByte(), Vector512.Create(0.001f).AsByte());
        if (set >= InstructionSet.Vector256)
            yield return Loop<Fma256, Vector256<byte>>("AVX2 FMA", Vector256.Create(0.999f).AsByte(), Vector256.Create(0.001f).AsByte());
        else if (set >= InstructionSet.AdvSimd)
            yield return Loop<Twice<Fma128>, TwoVectors>("Advanced SIMD FMA",
                new(Vector128.Create(0.999f).AsByte()), new(Vector128.Create(0.001f).AsByte()));
        else
            yield return Loop<Fma128, Vector128<byte>>("128-bit FMA", Vector128.Create(0.999f).AsByte(), Vector128.Create(0.001f).AsByte());
    }

    public static IEnumerable<PeakLoop> Int8(InstructionSet set)
    {
        if (set == InstructionSet.Amx)
            yield return EmittedPeak.Tiles;
        if (set >= InstructionSet.Avx512Vnni)
            yield return EmittedPeak.Int8;
        if (set >= InstructionSet.Vector512 && Avx512BW.IsSupported)
            yield return Loop<ByteProducts512, Vector512<byte>>("AVX-512 maddubs",
                Vector512.Create((short)1).AsByte(), Vector512.Create((byte)3));
        if (set >= InstructionSet.Vector256 && AvxVnni.IsSupported)
            yield return Loop<Vnni256, Vector256<byte>>("AVX-VNNI", Vector256.Create((byte)5), Vector256.Create((byte)3));
        if (set >= InstructionSet.Vector256 && Avx2.IsSupported)
            yield return Loop<ByteProducts256, Vector256<byte>>("AVX2 maddubs",
                Vector256.Create((short)1).AsByte(), Vector256.Create((byte)3));
        else if (set == InstructionSet.AdvSimdDp)
            yield return Loop<Twice<ByteDotProducts128>, TwoVectors>("Arm dot product",
                new(Vector128.Create((byte)5)), new(Vector128.Create((byte)3)));
        else if (set == InstructionSet.AdvSimd)
            yield return Loop<Twice<WideningProducts128>, TwoVectors>("Advanced SIMD smull",
                new(Vector128.Create((byte)5)), new(Vector128.Create((byte)3)));
        else
            yield return Loop<Int32Products128, Vector128<byte>>("128-bit int32",
                Vector128.Create(5).AsByte(), Vector128.Create(3).AsByte());
    }

    static unsafe PeakLoop Loop<TStep, TVector>(string name, TVector x, TVector y)
        where TStep : IPeakStep<TVector> where TVector : unmanaged =>
        new(name, (long)Chains * TStep.Operations, rounds =>
        {
            TVector* sums = stackalloc TVector[Chains];
            new Span<TVector>(sums, Chains).Fill(x);
            Run<TStep, TVector>(sums, x, y, rounds);
        });

    /// <summary>Sums come from memory and go back there, so that nothing can be computed beforehand or left out.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    static unsafe void Run<TStep, TVector>(TVector* sums, TVector x, TVector y, long rounds)
        where TStep : IPeakStep<TVector> where TVector : unmanaged
    {
        TVector a = sums[0], b = sums[1], c = sums[2], d = sums[3], e = sums[4], f = sums[5];
        TVector g = sums[6], h = sums[7], i = sums[8], j = sums[9], k = sums[10], l = sums[11];
        for (long round = 0; round < rounds; round++)
        {
            a = TStep.Add(a, x, y);
            b = TStep.Add(b, x, y);
            c = TStep.Add(c, x, y);
            d = TStep.Add(d, x, y);
            e = TStep.Add(e, x, y);
            f = TStep.Add(f, x, y);
            g = TStep.Add(g, x, y);
            h = TStep.Add(h, x, y);
            i = TStep.Add(i, x, y);
            j = TStep.Add(j, x, y);
            k = TStep.Add(k, x, y);
            l = TStep.Add(l, x, y);
        }
        (sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]) = (a, b, c, d, e, f);
        (sums[6], sums[7], sums[8], sums[9], sums[10], sums[11]) = (g, h, i, j, k, l);
    }
}
