using System.Buffers.Binary;

namespace Kvasir.Formats.Quantization;

/// <summary>
/// 32 values of 5 bits with one scale and one minimum: x = d·q + m.
/// <code>
/// byte  0..1    d, binary16
/// byte  2..3    m, binary16
/// byte  4..7    bit i: the fifth bit of q[i]
/// byte  8..23   byte j: low four bits of q[j] in its low half, of q[j + 16] in its high half
/// </code>
/// </summary>
static class Q5_1
{
    const int Elements = 32, Bytes = 24, Minimum = 2, HighBits = 4, Quants = 8, Half = 16;

    public static void Dequantize(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; !row.IsEmpty; row = row[Bytes..], destination = destination[Elements..])
        {
            (float scale, float minimum) = (F16.Read(row), F16.Read(row[Minimum..]));
            uint high = BinaryPrimitives.ReadUInt32LittleEndian(row[HighBits..]);
            for (int j = 0; j < Half; j++)
            {
                (int low, int up) = FiveBits.Unpack(row[Quants + j], high, j);
                destination[j] = low * scale + minimum;
                destination[j + Half] = up * scale + minimum;
            }
        }
    }

    /// <summary>The 32 quants q of one group of a row.</summary>
    public static void Unpack(ReadOnlySpan<byte> row, int group, Span<byte> quants)
    {
        ReadOnlySpan<byte> block = row.Slice(group * Bytes, Bytes);
        uint high = BinaryPrimitives.ReadUInt32LittleEndian(block[HighBits..]);
        for (int j = 0; j < Half; j++)
        {
            (int low, int up) = FiveBits.Unpack(block[Quants + j], high, j);
            (quants[j], quants[j + Half]) = ((byte)low, (byte)up);
        }
    }

    public static void Quantize(ReadOnlySpan<float> row, Span<byte> destination)
    {
        for (; !row.IsEmpty; row = row[Elements..], destination = destination[Bytes..])
        {
            (float min, float max) = Rounding.Range(row[..Elements]);
            float scale = (max - min) / 31;
            float inverse = Rounding.InverseOrZero(scale);
            F16.Write(destination, scale);
            F16.Write(destination[Minimum..], min);
            uint high = 0;
            for (int j = 0; j < Half; j++)
                destination[Quants + j] = FiveBits.Pack(Pack((row[j] - min) * inverse), Pack((row[j + Half] - min) * inverse), j, ref high);
            BinaryPrimitives.WriteUInt32LittleEndian(destination[HighBits..], high);
        }
    }

    static int Pack(float value) => Rounding.Truncate(value + 0.5f);
}
