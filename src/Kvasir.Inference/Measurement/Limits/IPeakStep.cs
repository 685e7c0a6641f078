using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Measurement.Speed;

namespace Kvasir.Inference.Measurement.Limits;

/// <summary>
/// One multiply-add of vectors, in one instruction or the few that stand for it. Each must depend on the sum, or the JIT computes it once.
/// </summary>
interface IPeakStep<TVector>
{
    /// <summary>Operations of one step.</summary>
    static abstract int Operations { get; }

    static abstract TVector Add(TVector sum, TVector x, TVector y);
}

readonly struct Fma512 : IPeakStep<Vector512<byte>>
{
    public static int Operations => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Add(Vector512<byte> sum, Vector512<byte> x, Vector512<byte> y) =>
        Vector512.FusedMultiplyAdd(sum.AsSingle(), x.AsSingle(), y.AsSingle()).AsByte();
}

readonly struct Fma256 : IPeakStep<Vector256<byte>>
{
    public static int Operations => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Add(Vector256<byte> sum, Vector256<byte> x, Vector256<byte> y) =>
        Vector256.FusedMultiplyAdd(sum.AsSingle(), x.AsSingle(), y.AsSingle()).AsByte();
}

readonly struct Fma128 : IPeakStep<Vector128<byte>>
{
    public static int Operations => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Add(Vector128<byte> sum, Vector128<byte> x, Vector128<byte> y) =>
        Vector128.FusedMultiplyAdd(sum.AsSingle(), x.AsSingle(), y.AsSingle()).AsByte();
}

/// <summary>Four products of bytes onto each 32-bit sum.</summary>
readonly struct Vnni256 : IPeakStep<Vector256<byte>>
{
    public static int Operations => 64;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Add(Vector256<byte> sum, Vector256<byte> x, Vector256<byte> y) =>
        AvxVnni.MultiplyWideningAndAdd(sum.AsInt32(), x, y.AsSByte()).AsByte();
}

/// <summary>The same in three: products of bytes in pairs, the pairs in pairs (x is ones), and onto the sum.</summary>
readonly struct ByteProducts512 : IPeakStep<Vector512<byte>>
{
    public static int Operations => 128;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Add(Vector512<byte> sum, Vector512<byte> x, Vector512<byte> y) =>
        (sum.AsInt32() + Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(sum, y.AsSByte()), x.AsInt16())).AsByte();
}

readonly struct ByteProducts256 : IPeakStep<Vector256<byte>>
{
    public static int Operations => 64;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Add(Vector256<byte> sum, Vector256<byte> x, Vector256<byte> y) =>
        (sum.AsInt32() + Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(sum, y.AsSByte()), x.AsInt16())).AsByte();
}

/// <summary>Arm's dot products of four bytes onto each 32-bit sum.</summary>
readonly struct ByteDotProducts128 : IPeakStep<Vector128<byte>>
{
    public static int Operations => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Add(Vector128<byte> sum, Vector128<byte> x, Vector128<byte> y) =>
        DotProducts.AddDotProducts(sum.AsInt32(), x.AsSByte(), y.AsSByte()).AsByte();
}

/// <summary>The same in four instructions.</summary>
readonly struct WideningProducts128 : IPeakStep<Vector128<byte>>
{
    public static int Operations => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Add(Vector128<byte> sum, Vector128<byte> x, Vector128<byte> y) =>
        WideningProducts.AddDotProducts(sum.AsInt32(), sum.AsSByte(), y.AsSByte()).AsByte();
}

/// <summary>Two sums of one step.</summary>
readonly record struct TwoVectors(Vector128<byte> First, Vector128<byte> Second)
{
    public TwoVectors(Vector128<byte> both) : this(both, both) { }
}

/// <summary>A step on two sums: Arm has the registers, and some of its processors four units, more than twelve chains keep busy.</summary>
readonly struct Twice<TStep> : IPeakStep<TwoVectors> where TStep : IPeakStep<Vector128<byte>>
{
    public static int Operations => 2 * TStep.Operations;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TwoVectors Add(TwoVectors sum, TwoVectors x, TwoVectors y) =>
        new(TStep.Add(sum.First, x.First, y.First), TStep.Add(sum.Second, x.First, y.First));
}

/// <summary>Where bytes have no instructions of their own, they are widened beforehand.</summary>
readonly struct Int32Products128 : IPeakStep<Vector128<byte>>
{
    public static int Operations => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Add(Vector128<byte> sum, Vector128<byte> x, Vector128<byte> y) =>
        (sum.AsInt32() * x.AsInt32() + y.AsInt32()).AsByte();
}
