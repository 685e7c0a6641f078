using System.Buffers.Binary;

namespace Kvasir.Formats.Quantization;

/// <summary>
/// Four bits that choose one of sixteen numbers, which lie closer together around zero: what <see cref="IQ4_NL"/> and <see cref="IQ4_XS"/>
/// share. Numbers are ggml's.
/// </summary>
static class IQ4
{
    public const int Half = 16;

    /// <summary>The numbers.</summary>
    public static ReadOnlySpan<sbyte> Values => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    /// <summary>32 values: the low four bits of a byte are those of value j, the high four those of value j + 16.</summary>
    public static void Dequantize(ReadOnlySpan<byte> pairs, float scale, Span<float> values)
    {
        for (int j = 0; j < Half; j++)
        {
            values[j] = scale * Values[pairs[j] & 15];
            values[j + Half] = scale * Values[pairs[j] >> 4];
        }
    }

    /// <summary>The choices themselves.</summary>
    public static void Unpack(ReadOnlySpan<byte> pairs, Span<byte> quants)
    {
        for (int j = 0; j < Half; j++)
            (quants[j], quants[j + Half]) = ((byte)(pairs[j] & 15), (byte)(pairs[j] >> 4));
    }
}

/// <summary>
/// 32 values with one scale: x = d·v.
/// <code>
/// byte  0..1    d, binary16
/// byte  2..17   choices, see <see cref="IQ4"/>
/// </code>
/// </summary>
static class IQ4_NL
{
    const int Elements = 32, Bytes = 18, Quants = 2;

    public static void Dequantize(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; !row.IsEmpty; row = row[Bytes..], destination = destination[Elements..])
            IQ4.Dequantize(row[Quants..Bytes], F16.Read(row), destination);
    }

    /// <summary>The 32 choices of one group of a row.</summary>
    public static void Unpack(ReadOnlySpan<byte> row, int group, Span<byte> quants) =>
        IQ4.Unpack(row.Slice(group * Bytes + Quants, IQ4.Half), quants);
}

/// <summary>
/// 256 values in eight groups of 32: x = (d·(s − 32))·v.
/// <code>
/// byte   0..1     d, binary16
/// byte   2..3     upper two bits of s[0..7], from bit 0 up
/// byte   4..7     lower four bits of s[0..7], two a byte, from the low half up
/// byte   8..135   choices, sixteen bytes a group, see <see cref="IQ4"/>
/// </code>
/// </summary>
static class IQ4_XS
{
    const int Elements = 256, Bytes = 136, High = 2, Low = 4, Quants = 8, Group = 32;

    public static void Dequantize(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; !row.IsEmpty; row = row[Bytes..], destination = destination[Elements..])
            for (int group = 0; group < Elements / Group; group++)
                IQ4.Dequantize(row.Slice(Quants + group * IQ4.Half, IQ4.Half), F16.Read(row) * ScaleOf(row, group),
                    destination[(group * Group)..]);
    }

    /// <summary>What d is multiplied with for a group of a block: −32 to 31.</summary>
    public static sbyte ScaleOf(ReadOnlySpan<byte> block, int group)
    {
        int high = BinaryPrimitives.ReadUInt16LittleEndian(block[High..]) >> 2 * group & 3;
        return (sbyte)((block[Low + group / 2] >> group % 2 * 4 & 15 | high << 4) - 32);
    }

    /// <summary>The 32 choices of one group of a row, eight a block.</summary>
    public static void Unpack(ReadOnlySpan<byte> row, int group, Span<byte> quants) =>
        IQ4.Unpack(row.Slice(group / 8 * Bytes + Quants + group % 8 * IQ4.Half, IQ4.Half), quants);
}
