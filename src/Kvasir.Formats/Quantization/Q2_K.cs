namespace Kvasir.Formats.Quantization;

/// <summary>
/// 256 values of 2 bits in sixteen groups of 16: x = (d·s)·q − (e·m). The values lie in two halves of 128, a half in four runs of 32.
/// <code>
/// byte   0..15   s[0..15] in the low four bits, m[0..15] in the high four
/// byte  16..79   per half 32 bytes: byte i holds value i of run 0, 1, 2, 3 from bit 0 up
/// byte  80..81   d, binary16
/// byte  82..83   e, binary16
/// </code>
/// </summary>
static class Q2_K
{
    const int Elements = 256, Bytes = 84, Quants = 16, Run = 32, Group = 16;

    /// <summary>Where d and e stand in a block.</summary>
    public const int Scale = 80, Minimum = 82;

    public static void Dequantize(ReadOnlySpan<byte> row, Span<float> destination)
    {
        Span<byte> quants = stackalloc byte[Run];
        for (; !row.IsEmpty; row = row[Bytes..], destination = destination[Elements..])
            for (int i = 0; i < Elements; i++)
            {
                if (i % Run == 0)
                    Unpack(row, i / Run, quants);
                byte both = row[i / Group];
                float scale = F16.Read(row[Scale..]) * (both & 15), minimum = F16.Read(row[Minimum..]) * (both >> 4);
                destination[i] = scale * quants[i % Run] - minimum;
            }
    }

    /// <summary>The 32 quants q of one group of a row (two scales), eight a block.</summary>
    public static void Unpack(ReadOnlySpan<byte> row, int group, Span<byte> quants) =>
        UnpackPairs(row.Slice(group / 8 * Bytes + Quants, Elements / 4), group % 8, quants);

    /// <summary>The two bits of each value of a run, in 64 bytes.</summary>
    public static void UnpackPairs(ReadOnlySpan<byte> pairs, int run, Span<byte> quants)
    {
        for (int i = 0; i < Run; i++)
            quants[i] = (byte)(pairs[run / 4 * Run + i] >> run % 4 * 2 & 3);
    }
}
