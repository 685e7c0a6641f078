using System.Runtime.Intrinsics;

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

    public static void Quantize(ReadOnlySpan<float> row, Span<byte> destination)
    {
        Span<float> scales = stackalloc float[Elements / Group];
        for (; !row.IsEmpty; row = row[Elements..], destination = destination[Bytes..])
        {
            Span<byte> block = destination[..Bytes];
            for (int group = 0; group < scales.Length; group++)
                scales[group] = LeastSquares.Scale(row.Slice(group * Group, Group));
            F16.Write(block[Scale..], Rounding.Extreme(scales) / sbyte.MinValue); // the extreme one becomes −128, which is in range
            float d = F16.Read(block[Scale..]);
            block[..Scales].Clear();
            for (int group = 0; group < scales.Length; group++)
                block[Scales + group] = (byte)QuantizeGroup(row.Slice(group * Group, Group), group, scales[group], d, block);
        }
    }

    /// <summary>Packs sixteen values with the whole scale, of those beside the one that was found, that loses least.</summary>
    static sbyte QuantizeGroup(ReadOnlySpan<float> values, int group, float scale, float d, Span<byte> block)
    {
        Vector512<float> x = Vector512.Create(values), quants = Vector512<float>.Zero;
        float nearest = Math.Clamp(MathF.Floor(scale * Rounding.InverseOrZero(d) + 0.5f), sbyte.MinValue, sbyte.MaxValue);
        float least = float.MaxValue, best = 0;
        for (float s = Math.Max(nearest - 1, sbyte.MinValue); s <= Math.Min(nearest + 1, sbyte.MaxValue); s++)
        {
            Vector512<float> q = LeastSquares.Quants(x, d * s);
            float error = LeastSquares.Error(x, q, d * s);
            if (error < least)
                (least, best, quants) = (error, s, q);
        }
        (int half, int part) = (group / 8, group % 8 / 2);
        for (int i = 0; i < Group; i++)
        {
            int quant = (int)quants[i] + 32, at = group % 2 * Group + i;
            block[half * 64 + part % 2 * Run + at] |= (byte)((quant & 15) << part / 2 * 4);
            block[HighBits + half * Run + at] |= (byte)(quant >> 4 << part * 2);
        }
        return (sbyte)best;
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
