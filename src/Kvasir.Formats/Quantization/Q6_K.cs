namespace Kvasir.Formats.Quantization;

/// <summary>
/// 256 values of 6 bits in sixteen groups of 16: x = (d·s)·(q − 32). The values lie in two halves of 128, a half in four runs of 32.
/// <code>
/// byte    0..127   per half 64 bytes: low four bits; runs 0 and 1 in the low four of bytes 0..31 and 32..63, runs 2 and 3 in the high
/// byte  128..191   per half 32 bytes: upper two bits; byte i holds those of value i of run 0, 1, 2, 3 from bit 0 up
/// byte  192..207   s[0..15], signed
/// byte  208..209   d, binary16
/// </code>
/// </summary>
static class Q6_K
{
    const int Elements = 256, Bytes = 210, HighBits = 128, Scales = 192, Run = 32, Group = 16;

    /// <summary>Where d stands in a block.</summary>
    public const int Scale = 208;

    /// <summary>What d is multiplied with for sixteen values of a block.</summary>
    public static sbyte ScaleOf(ReadOnlySpan<byte> block, int sixteen) => (sbyte)block[Scales + sixteen];

    public static void Dequantize(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (; !row.IsEmpty; row = row[Bytes..], destination = destination[Elements..])
            for (int run = 0; run < Elements / Run; run++)
                DequantizeRun(row[..Bytes], run, destination.Slice(run * Run, Run));
    }

    static void DequantizeRun(ReadOnlySpan<byte> block, int run, Span<float> values)
    {
        (int half, int part) = (run / 4, run % 4);
        ReadOnlySpan<byte> low = block.Slice(half * 64 + part % 2 * Run, Run);
        ReadOnlySpan<byte> high = block.Slice(HighBits + half * Run, Run);
        float scale = F16.Read(block[Scale..]);
        for (int i = 0; i < Run; i++)
        {
            int quant = low[i] >> part / 2 * 4 & 15 | (high[i] >> part * 2 & 3) << 4;
            values[i] = scale * (sbyte)block[Scales + run * 2 + i / Group] * (quant - 32);
        }
    }

    /// <summary>The 32 quants q of one group of a row (two scales), eight a block.</summary>
    public static void Unpack(ReadOnlySpan<byte> row, int group, Span<byte> quants)
    {
        ReadOnlySpan<byte> block = row.Slice(group / 8 * Bytes, Bytes);
        (int half, int part) = (group % 8 / 4, group % 4);
        ReadOnlySpan<byte> low = block.Slice(half * 64 + part % 2 * Run, Run), high = block.Slice(HighBits + half * Run, Run);
        for (int i = 0; i < Run; i++)
            quants[i] = (byte)(low[i] >> part / 2 * 4 & 15 | (high[i] >> part * 2 & 3) << 4);
    }
}
