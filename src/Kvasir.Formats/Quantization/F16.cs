using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Kvasir.Formats.Quantization;

/// <summary>
/// One IEEE binary16 a value.
/// <code>
/// byte 0..1   sign 1 | exponent 5 | mantissa 10, little endian
/// </code>
/// </summary>
readonly struct F16 : IWidening
{
    const uint Magnitude = 0x7FFF, Infinity = 0x7C00, SingleInfinity = 0x7F80_0000, Sign = 0x8000_0000;
    const int MantissaShift = 23 - 10, SignShift = 16;

    // The exponents' biases differ by 127 - 15. A multiplication rather than an addition also normalises subnormals, exactly.
    const float Rebias = 5.192296858534828e33f; // 2^112

    public static void Dequantize(ReadOnlySpan<byte> row, Span<float> destination) => Widening.Widen<F16>(row, destination);

    public static void Quantize(ReadOnlySpan<float> row, Span<byte> destination)
    {
        for (int i = 0; i < row.Length; i++)
            BinaryPrimitives.WriteHalfLittleEndian(destination[(2 * i)..], (Half)row[i]);
    }

    /// <summary>The binary16 in the first two bytes, which is how block formats begin.</summary>
    public static float Read(ReadOnlySpan<byte> bytes) => Widen(BinaryPrimitives.ReadUInt16LittleEndian(bytes));

    /// <summary>What a float becomes when it is stored.</summary>
    public static void Write(Span<byte> bytes, float value) => BinaryPrimitives.WriteHalfLittleEndian(bytes, (Half)value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Widen(ushort half)
    {
        uint bits = BitConverter.SingleToUInt32Bits(BitConverter.UInt32BitsToSingle((half & Magnitude) << MantissaShift) * Rebias);
        if ((half & Infinity) == Infinity) bits |= SingleInfinity;
        return BitConverter.UInt32BitsToSingle(bits | (half & ~Magnitude) << SignShift);
    }

    /// <summary>
    /// The halves in the upper sixteen bits of each lane, whatever the lower sixteen are. The sign comes down with them: what it leaves
    /// above the exponent is cut out.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> WidenUpper(Vector128<int> halves)
    {
        const uint kept = Sign | Magnitude << MantissaShift;
        const float aboveHalves = 65536; // what their infinity becomes
        Vector128<float> widened = ((halves >> 3).AsUInt32() & Vector128.Create(kept)).AsSingle() * Rebias;
        Vector128<float> special = Vector128.GreaterThanOrEqual(Vector128.Abs(widened), Vector128.Create(aboveHalves));
        return (widened.AsUInt32() | (special.AsUInt32() & Vector128.Create(SingleInfinity))).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Widen(Vector256<uint> halves)
    {
        Vector256<uint> bits = (((halves & Vector256.Create(Magnitude)) << MantissaShift).AsSingle() * Rebias).AsUInt32();
        Vector256<uint> special = Vector256.Equals(halves & Vector256.Create(Infinity), Vector256.Create(Infinity));
        Vector256<uint> sign = (halves & Vector256.Create(~Magnitude)) << SignShift;
        return (bits | sign | (special & Vector256.Create(SingleInfinity))).AsSingle();
    }

    /// <summary>The halves in the upper sixteen bits of each lane, whatever the lower sixteen are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> WidenUpper(Vector256<int> halves)
    {
        Vector256<uint> magnitude = (halves >>> 3).AsUInt32() & Vector256.Create(Magnitude << MantissaShift);
        Vector256<uint> bits = (magnitude.AsSingle() * Rebias).AsUInt32();
        Vector256<uint> special = Vector256.GreaterThan(magnitude.AsInt32(),
            Vector256.Create((int)(Infinity << MantissaShift) - 1)).AsUInt32();
        Vector256<uint> sign = halves.AsUInt32() & Vector256.Create(Sign);
        return (bits | sign | (special & Vector256.Create(SingleInfinity))).AsSingle();
    }

    /// <summary>The halves in the upper sixteen bits of each lane, whatever the lower sixteen are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> WidenUpper(Vector512<int> halves)
    {
        Vector512<uint> magnitude = (halves >>> 3).AsUInt32() & Vector512.Create(Magnitude << MantissaShift);
        Vector512<uint> bits = (magnitude.AsSingle() * Rebias).AsUInt32();
        Vector512<uint> special = Vector512.GreaterThan(magnitude.AsInt32(),
            Vector512.Create((int)(Infinity << MantissaShift) - 1)).AsUInt32();
        Vector512<uint> widened = bits | (halves.AsUInt32() & Vector512.Create(Sign));
        return Vector512.ConditionalSelect(special, widened | Vector512.Create(SingleInfinity), widened).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Widen(Vector512<uint> halves)
    {
        Vector512<uint> bits = (((halves & Vector512.Create(Magnitude)) << MantissaShift).AsSingle() * Rebias).AsUInt32();
        Vector512<uint> special = Vector512.Equals(halves & Vector512.Create(Infinity), Vector512.Create(Infinity));
        Vector512<uint> sign = (halves & Vector512.Create(~Magnitude)) << SignShift;
        return (bits | sign | (special & Vector512.Create(SingleInfinity))).AsSingle();
    }
}
