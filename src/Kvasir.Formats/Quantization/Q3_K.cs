namespace Kvasir.Formats.Quantization;

/// <summary>
/// 256 values of 3 bits in sixteen groups of 16: x = (d·(s − 32))·(q − 4). The values lie in two halves of 128, a half in four runs of 32.
/// <code>
/// byte    0..31    bit r of byte i: the third bit of value i of run r
/// byte   32..95    per half 32 bytes: byte i holds the lower two bits of value i of run 0, 1, 2, 3 from bit 0 up
/// byte   96..103   lower four bits of s[0..7] in the low half, of s[8..15] in the high half
/// byte  104..107   upper two bits of s: byte j holds those of s[j], s[j + 4], s[j + 8], s[j + 12] from bit 0 up
/// byte  108..109   d, binary16
/// </code>
/// </summary>
static class Q3_K
{
    const int Elements = 256, Bytes = 110, Pairs = 32, Scales = 96, UpperScales = 104, Run = 32, Group = 16;

    /// <summary>Where d stands in a block.</summary>
    public const int Scale = 108;

    public static void Dequantize(ReadOnlySpan<byte> row, Span<float> destination)
    {
        Span<byte> quants = stackalloc byte[Run];
        for (; !row.IsEmpty; row = row[Bytes..], destination = destination[Elements..])
            for (int i = 0; i < Elements; i++)
            {
                if (i % Run == 0)
                    Unpack(row, i / Run, quants);
                destination[i] = F16.Read(row[Scale..]) * ScaleOf(row, i / Group) * (quants[i % Run] - 4);
            }
    }

    /// <summary>What d is multiplied with for sixteen values of a block: −32 to 31.</summary>
    public static sbyte ScaleOf(ReadOnlySpan<byte> block, int sixteen)
    {
        int low = block[Scales + sixteen % 8] >> sixteen / 8 * 4 & 15, high = block[UpperScales + sixteen % 4] >> sixteen / 4 * 2 & 3;
        return (sbyte)((low | high << 4) - 32);
    }

    /// <summary>The 32 quants q of one group of a row (two scales), eight a block.</summary>
    public static void Unpack(ReadOnlySpan<byte> row, int group, Span<byte> quants)
    {
        ReadOnlySpan<byte> block = row.Slice(group / 8 * Bytes, Bytes);
        Q2_K.UnpackPairs(block.Slice(Pairs, Elements / 4), group % 8, quants);
        for (int i = 0; i < Run; i++)
            quants[i] |= (byte)((block[i] >> group % 8 & 1) << 2);
    }
}
