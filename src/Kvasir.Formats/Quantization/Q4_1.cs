namespace Kvasir.Formats.Quantization;

/// <summary>
/// 32 values of 4 bits with one scale and one minimum: x = d·q + m.
/// <code>
/// byte  0..1    d, binary16
/// byte  2..3    m, binary16
/// byte  4..19   byte j: q[j] in the low four bits, q[j + 16] in the high four
/// </code>
/// </summary>
static class Q4_1
{
    const int Elements = 32, Bytes = 20, Minimum = 2, Quants = 4, Half = 16;

    public static void Dequantize(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; !row.IsEmpty; row = row[Bytes..], destination = destination[Elements..])
        {
            (float scale, float minimum) = (F16.Read(row), F16.Read(row[Minimum..]));
            for (int j = 0; j < Half; j++)
            {
                byte pair = row[Quants + j];
                destination[j] = (pair & 0x0F) * scale + minimum;
                destination[j + Half] = (pair >> 4) * scale + minimum;
            }
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
            (float min, float max) = Rounding.Range(row[..Elements]);
            float scale = (max - min) / 15;
            float inverse = Rounding.InverseOrZero(scale);
            F16.Write(destination, scale);
            F16.Write(destination[Minimum..], min);
            for (int j = 0; j < Half; j++)
                destination[Quants + j] = (byte)(Pack((row[j] - min) * inverse) | Pack((row[j + Half] - min) * inverse) << 4);
        }
    }

    static int Pack(float value) => Math.Min(15, (int)Rounding.Truncate(value + 0.5f));
}
