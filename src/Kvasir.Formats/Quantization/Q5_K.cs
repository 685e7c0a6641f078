namespace Kvasir.Formats.Quantization;

/// <summary>
/// 256 values of 5 bits in eight groups of 32: x = (d·s)·q − (e·m).
/// <code>
/// byte   0..1     d, binary16: the scale of the groups' scales s
/// byte   2..3     e, binary16: the scale of the groups' minimums m
/// byte   4..15    s and m, see <see cref="SixBitScales"/>
/// byte  16..47    byte i, bit g: the fifth bit of value i of group g
/// byte  48..175   four runs of 32 bytes, each two groups: the first in the low four bits, the second in the high four
/// </code>
/// </summary>
static class Q5_K
{
    const int Elements = 256, Bytes = 176, Minimum = 2, Scales = 4, HighBits = 16, Quants = 48, Group = 32;

    public static void Dequantize(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; !row.IsEmpty; row = row[Bytes..], destination = destination[Elements..])
            for (int group = 0; group < Elements / Group; group++)
            {
                (int s, int m) = SixBitScales.Unpack(row[Scales..HighBits], group);
                (float scale, float minimum) = (F16.Read(row) * s, F16.Read(row[Minimum..]) * m);
                ReadOnlySpan<byte> high = row[HighBits..Quants];
                ReadOnlySpan<byte> pairs = row.Slice(Quants + group / 2 * Group, Group);
                Span<float> values = destination.Slice(group * Group, Group);
                int shift = group % 2 * 4;
                for (int i = 0; i < Group; i++)
                    values[i] = scale * (pairs[i] >> shift & 15 | (high[i] >> group & 1) << 4) - minimum;
            }
    }

    public static void Quantize(ReadOnlySpan<float> row, Span<byte> destination)
    {
        Span<byte> quants = stackalloc byte[Elements];
        for (; !row.IsEmpty; row = row[Elements..], destination = destination[Bytes..])
        {
            ScaledGroups.Quantize(row[..Elements], 31, destination[..HighBits], quants);
            destination[HighBits..Quants].Clear();
            for (int i = 0; i < Elements; i++)
                destination[HighBits + i % Group] |= (byte)(quants[i] >> 4 << i / Group);
            for (int i = 0; i < Elements / 2; i++)
            {
                int first = i / Group * 2 * Group + i % Group;
                destination[Quants + i] = (byte)(quants[first] & 15 | (quants[first + Group] & 15) << 4);
            }
        }
    }

    /// <summary>The 32 quants q of one group of a row, eight groups a block.</summary>
    public static void Unpack(ReadOnlySpan<byte> row, int group, Span<byte> quants)
    {
        ReadOnlySpan<byte> block = row.Slice(group / 8 * Bytes, Bytes), high = block[HighBits..Quants];
        ReadOnlySpan<byte> pairs = block.Slice(Quants + group % 8 / 2 * Group, Group);
        int shift = group % 2 * 4;
        for (int i = 0; i < Group; i++)
            quants[i] = (byte)(pairs[i] >> shift & 15 | (high[i] >> group % 8 & 1) << 4);
    }
}
