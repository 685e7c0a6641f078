using System.Runtime.CompilerServices;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// e^x, the same bits on every machine (the C library's are not): <c>x = n ln 2 + r</c> with integral <c>n</c> and <c>|r| ≤ ln 2 / 2</c>,
/// then the Taylor series of e^r to the seventh power, whose remainder (6e-9) is below half a unit in the last place, scaled by 2^n.
/// Relative error at most 2e-7. Arguments beyond ±87 are held there: small enough to vanish, large enough to saturate.
/// </summary>
static class Exp<T> where T : struct, ILanes<T>
{
    const float Lowest = -87.0f, Highest = 87.0f;
    const float LowestPower = -126f;
    const float Log2E = 1.44269504f, Ln2 = 0.693147181f;
    const float Ln2High = 0.693359375f, Ln2Low = -2.12194440e-4f; // ln 2 in two parts: n * Ln2High is exact
    const float Round = 12582912f; // 1.5 * 2^23: adding it leaves an integer in the mantissa

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Of(T x)
    {
        x = T.Min(T.Broadcast(Highest), T.Max(T.Broadcast(Lowest), x)); // in this order what is not a number stays so
        T n = T.MultiplyAdd(x, T.Broadcast(Log2E), T.Broadcast(Round)) - T.Broadcast(Round);
        T r = T.MultiplyAdd(n, T.Broadcast(-Ln2Low), T.MultiplyAdd(n, T.Broadcast(-Ln2High), x));
        return T.ScaleByPowerOf2(Series(r), n);
    }

    /// <summary>
    /// 2^x for x at most 127, in the same way: the integral part needs no logarithm. Arguments below -126 are held there.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T PowerOf2(T x)
    {
        x = T.Max(T.Broadcast(LowestPower), x);
        T n = x + T.Broadcast(Round) - T.Broadcast(Round);
        return T.ScaleByPowerOf2(Series((x - n) * T.Broadcast(Ln2)), n);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static T Series(T r)
    {
        T sum = T.Broadcast(1f / 5040);
        sum = T.MultiplyAdd(sum, r, T.Broadcast(1f / 720));
        sum = T.MultiplyAdd(sum, r, T.Broadcast(1f / 120));
        sum = T.MultiplyAdd(sum, r, T.Broadcast(1f / 24));
        sum = T.MultiplyAdd(sum, r, T.Broadcast(1f / 6));
        sum = T.MultiplyAdd(sum, r, T.Broadcast(1f / 2));
        sum = T.MultiplyAdd(sum, r, T.Broadcast(1f));
        sum = T.MultiplyAdd(sum, r, T.Broadcast(1f));
        return sum;
    }
}
