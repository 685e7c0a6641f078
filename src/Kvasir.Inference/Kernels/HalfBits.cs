using System.Runtime.Intrinsics;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Widening of IEEE half precision to single by moving bits, because .NET 10 offers no vector instruction for it. The exponent and mantissa are
/// shifted into a float's place and multiplied by 2^112, the difference of the exponents' biases, which is exact for normal and subnormal
/// halves alike; infinities and NaNs get a full exponent.
/// </summary>
static class HalfBits
{
    const uint Magnitude = 0x7fff, Sign = 0x8000, Infinity = 0x7c00, FullExponent = 0x7f80_0000;
    const float BiasDifference = 5.192296858534828e33f; // 2^112

    /// <param name="bits">A half's bits in the lower half of each element.</param>
    public static Vector512<float> Widen(Vector512<uint> bits)
    {
        Vector512<uint> magnitude = bits & Vector512.Create(Magnitude);
        Vector512<uint> finite = ((magnitude << 13).AsSingle() * BiasDifference).AsUInt32();
        Vector512<uint> special = Vector512.GreaterThanOrEqual(magnitude, Vector512.Create(Infinity)) & Vector512.Create(FullExponent);
        return (finite | special | ((bits & Vector512.Create(Sign)) << 16)).AsSingle();
    }

    /// <inheritdoc cref="Widen(Vector512{uint})"/>
    public static Vector256<float> Widen(Vector256<uint> bits)
    {
        Vector256<uint> magnitude = bits & Vector256.Create(Magnitude);
        Vector256<uint> finite = ((magnitude << 13).AsSingle() * BiasDifference).AsUInt32();
        Vector256<uint> special = Vector256.GreaterThanOrEqual(magnitude, Vector256.Create(Infinity)) & Vector256.Create(FullExponent);
        return (finite | special | ((bits & Vector256.Create(Sign)) << 16)).AsSingle();
    }
}
