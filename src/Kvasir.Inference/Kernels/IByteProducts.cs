using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;

namespace Kvasir.Inference.Kernels;

/// <summary>How sixteen signed bytes are multiplied with sixteen others. Sums are of integers and exact: all ways give the same.</summary>
interface IByteProducts
{
    /// <summary>Adds to each integer the dot product of four bytes with four others.</summary>
    static abstract Vector128<int> AddDotProducts(Vector128<int> sums, Vector128<sbyte> w, Vector128<sbyte> x);
}

/// <summary>In one instruction, which Arm has since 8.2 as an option and since 8.4 always (<c>sdot</c>).</summary>
readonly struct DotProducts : IByteProducts
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> AddDotProducts(Vector128<int> sums, Vector128<sbyte> w, Vector128<sbyte> x) =>
        Dp.IsSupported ? Dp.DotProduct(sums, w, x) : WideningProducts.AddDotProducts(sums, w, x);
}

/// <summary>In four, through products of sixteen bits: two of them, at most 128 · 127 each, may be added there.</summary>
readonly struct WideningProducts : IByteProducts
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> AddDotProducts(Vector128<int> sums, Vector128<sbyte> w, Vector128<sbyte> x)
    {
        Vector128<short> pairs = InPairs(w, x);
        return AdvSimd.IsSupported
            ? AdvSimd.AddPairwiseWideningAndAdd(sums, pairs)
            : sums + (pairs.AsInt32() << 16 >> 16) + (pairs.AsInt32() >> 16);
    }

    /// <summary>Products of neighbours, added: no sum may exceed sixteen bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<short> InPairs(Vector128<sbyte> w, Vector128<sbyte> x) => AdvSimd.Arm64.IsSupported
        ? AdvSimd.Arm64.AddPairwise(AdvSimd.MultiplyWideningLower(w.GetLower(), x.GetLower()), AdvSimd.MultiplyWideningUpper(w, x))
        : (w.AsInt16() << 8 >> 8) * (x.AsInt16() << 8 >> 8) + (w.AsInt16() >> 8) * (x.AsInt16() >> 8);
}
