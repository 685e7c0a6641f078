using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace Kvasir.Formats.Quantization;

/// <summary>
/// The upper half of a binary32 a value.
/// <code>
/// byte 0..1   sign 1 | exponent 8 | mantissa 7, little endian
/// </code>
/// </summary>
readonly struct BF16 : IWidening
{
    public static void Dequantize(ReadOnlySpan<byte> row, Span<float> destination) => Widening.Widen<BF16>(row, destination);

    public static void Quantize(ReadOnlySpan<float> row, Span<byte> destination)
    {
        for (int i = 0; i < row.Length; i++)
            BinaryPrimitives.WriteUInt16LittleEndian(destination[(2 * i)..], Narrow(row[i]));
    }

    public static float Widen(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    public static Vector256<float> Widen(Vector256<uint> bits) => (bits << 16).AsSingle();

    public static Vector512<float> Widen(Vector512<uint> bits) => (bits << 16).AsSingle();

    // To nearest, ties to even. A NaN stays one: rounding its mantissa up could carry into infinity or the sign.
    static ushort Narrow(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        const uint quiet = 0x40;
        return (ushort)(float.IsNaN(value) ? bits >> 16 | quiet : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    }
}
