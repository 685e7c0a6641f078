using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Kvasir.Formats.Quantization;

/// <summary>
/// 32 values of 8 bits with one scale: x = d·q.
/// <code>
/// byte  0..1    d, binary16
/// byte  2..33   q[0..31], signed
/// </code>
/// </summary>
static class Q8_0
{
    const int Elements = 32, Bytes = 34, Quants = 2;

    public static void Dequantize(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; !row.IsEmpty; row = row[Bytes..], destination = destination[Elements..])
        {
            float scale = F16.Read(row);
            ReadOnlySpan<sbyte> quants = MemoryMarshal.Cast<byte, sbyte>(row[Quants..Bytes]);
            Span<float> values = destination[..Elements];
            Scaling.Scale(Vector128.Create(quants), scale, ref values[0]);
            Scaling.Scale(Vector128.Create(quants[Scaling.Count..]), scale, ref values[Scaling.Count]);
        }
    }

    /// <summary>The 32 quants q of one group of a row, plus 128.</summary>
    public static void Unpack(ReadOnlySpan<byte> row, int group, Span<byte> quants)
    {
        ReadOnlySpan<byte> block = row.Slice(group * Bytes + Quants, Elements);
        for (int i = 0; i < Elements; i++)
            quants[i] = (byte)(block[i] ^ 0x80);
    }

    public static void Quantize(ReadOnlySpan<float> row, Span<byte> destination)
    {
        for (; !row.IsEmpty; row = row[Elements..], destination = destination[Bytes..])
        {
            float scale = MathF.Abs(Rounding.Extreme(row[..Elements])) / 127;
            float inverse = Rounding.InverseOrZero(scale);
            F16.Write(destination, scale);
            for (int i = 0; i < Elements; i++)
                destination[Quants + i] = (byte)Rounding.Nearest(row[i] * inverse);
        }
    }
}
