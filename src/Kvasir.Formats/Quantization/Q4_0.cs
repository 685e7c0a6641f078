using System.Runtime.Intrinsics;

namespace Kvasir.Formats.Quantization;

/// <summary>
/// 32 values of 4 bits with one scale: x = d·(q − 8).
/// <code>
/// byte  0..1    d, binary16
/// byte  2..17   byte j: q[j] in the low four bits, q[j + 16] in the high four
/// </code>
/// </summary>
static class Q4_0
{
    const int Elements = 32, Bytes = 18, Quants = 2, Half = 16;

    public static void Dequantize(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; !row.IsEmpty; row = row[Bytes..], destination = destination[Elements..])
        {
            float scale = F16.Read(row);
            Vector128<byte> pairs = Vector128.Create(row[Quants..Bytes]);
            Span<float> values = destination[..Elements];
            Scaling.Scale((pairs & Vector128.Create((byte)0x0F)).AsSByte() - Vector128.Create((sbyte)8), scale, ref values[0]);
            Scaling.Scale((pairs >>> 4).AsSByte() - Vector128.Create((sbyte)8), scale, ref values[Half]);
        }
    }

    /// <summary>The 32 quants q of one group of a row.</summary>
    public static void Unpack(ReadOnlySpan<byte> row, int group, Span<byte> quants)
    {
        ReadOnlySpan<byte> pairs = row.Slice(group * Bytes + Quants, Half);
        for (int j = 0; j < Half; j++)
            (quants[j], quants[j + Half]) = ((byte)(pairs[j] & 0x0F), (byte)(pairs[j] >> 4));
    }

    public static void Quantize(ReadOnlySpan<float> row, Span<byte> destination)
    {
        for (; !row.IsEmpty; row = row[Elements..], destination = destination[Bytes..])
        {
            // The sign of the scale is that of the extreme, negated, because -8 is in range and +8 is not.
            float scale = Rounding.Extreme(row[..Elements]) / -8;
            float inverse = Rounding.InverseOrZero(scale);
            F16.Write(destination, scale);
            for (int j = 0; j < Half; j++)
                destination[Quants + j] = (byte)(Pack(row[j] * inverse) | Pack(row[j + Half] * inverse) << 4);
        }
    }

    static int Pack(float value) => Math.Min(15, (int)Rounding.Truncate(value + 8.5f));
}
