using System.Buffers.Binary;

namespace Kvasir.Formats.Quantization;

/// <summary>
/// 32 values of 5 bits with one scale: x = d·(q − 16).
/// <code>
/// byte  0..1    d, binary16
/// byte  2..5    bit i: the fifth bit of q[i]
/// byte  6..21   byte j: low four bits of q[j] in its low half, of q[j + 16] in its high half
/// </code>
/// </summary>
static class Q5_0
{
    const int Elements = 32, Bytes = 22, HighBits = 2, Quants = 6, Half = 16;

    public static void Dequantize(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; !row.IsEmpty; row = row[Bytes..], destination = destination[Elements..])
        {
            float scale = F16.Read(row);
            uint high = BinaryPrimitives.ReadUInt32LittleEndian(row[HighBits..]);
            for (int j = 0; j < Half; j++)
            {
                (int low, int up) = FiveBits.Unpack(row[Quants + j], high, j);
                destination[j] = (low - 16) * scale;
                destination[j + Half] = (up - 16) * scale;
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
            // The sign of the scale is that of the extreme, negated, because -16 is in range and +16 is not.
            float scale = Rounding.Extreme(row[..Elements]) / -16;
            float inverse = Rounding.InverseOrZero(scale);
            F16.Write(destination, scale);
            uint high = 0;
            for (int j = 0; j < Half; j++)
                destination[Quants + j] = FiveBits.Pack(Pack(row[j] * inverse), Pack(row[j + Half] * inverse), j, ref high);
            BinaryPrimitives.WriteUInt32LittleEndian(destination[HighBits..], high);
        }
    }

    static int Pack(float value) => Math.Min(31, (int)Rounding.Truncate(value + 16.5f));
}
