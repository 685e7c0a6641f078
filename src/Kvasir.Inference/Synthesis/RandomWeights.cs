using System.Runtime.InteropServices;
using Kvasir.Formats;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Sampling;

namespace Kvasir.Inference.Synthesis;

/// <summary>
/// Rows of seeded random weights in any type, made in place rather than quantised: random bytes under scales for which a row's values have
/// a standard deviation near <c>1 / sqrt(columns)</c>, so that activations neither vanish nor explode. Equal seeds give equal rows.
/// </summary>
static class RandomWeights
{
    // Standard deviations of uniform integers: of 8 bits signed, of 6, 5 and 4 bits around their middle; the mean of 6-bit scales.
    const float Deviation8 = 73.9f, Deviation6 = 18.5f, Deviation5 = 9.2f, Deviation4 = 4.6f, Mean6 = 31.5f;
    const float OddScale = 18.5f; // 1, 3, … 31
    const float Deviation3 = 2.35f, DeviationOfTable = 67.4f, DeviationOfSmallFloats = 5.85f;
    const float Deviation2 = 13.9f; // the last one of scales, quants and minimums together

    public static void Fill(TensorType type, int columns, ulong seed, Span<byte> row)
    {
        var random = new SplitMix64(seed);
        if (type is TensorType.F32 or TensorType.F16 or TensorType.BF16)
        {
            FillFloats(type, columns, ref random, row);
            return;
        }
        foreach (ref ulong word in MemoryMarshal.Cast<byte, ulong>(row))
            word = random.Next();
        foreach (ref byte rest in row[(row.Length & ~7)..])
            rest = (byte)random.Next();
        for (Span<byte> blocks = row; !blocks.IsEmpty; blocks = blocks[type.BlockBytes()..])
            SetScales(type, 1 / MathF.Sqrt(columns), blocks);
    }

    static void FillFloats(TensorType type, int columns, ref SplitMix64 random, Span<byte> row)
    {
        float[] values = new float[columns];
        float width = MathF.Sqrt(12f / columns);
        foreach (ref float value in values.AsSpan())
            value = ((float)random.NextDouble() - 0.5f) * width;
        RowFormat.Quantize(type, values, row);
    }

    static void SetScales(TensorType type, float deviation, Span<byte> block)
    {
        switch (type)
        {
            case TensorType.Q8_0: F16.Write(block, deviation / Deviation8); break;
            case TensorType.Q4_0: F16.Write(block, deviation / Deviation4); break;
            case TensorType.Q5_0: F16.Write(block, deviation / Deviation5); break;
            case TensorType.Q2_K:
                F16.Write(block[Q2_K.Scale..], deviation / Deviation2);
                F16.Write(block[Q2_K.Minimum..], 1.5f * deviation / Deviation2); // the mean of three quants
                break;
            case TensorType.Q3_K: F16.Write(block[Q3_K.Scale..], deviation / (Deviation6 * Deviation3)); break;
            case TensorType.IQ3_XXS: F16.Write(block, deviation / (IQ3_XXS.Factor * OddScale * 32.4f)); break;
            case TensorType.IQ3_S: F16.Write(block, deviation / (OddScale * 8.3f)); break;
            case TensorType.IQ4_NL: F16.Write(block, deviation / DeviationOfTable); break;
            case TensorType.IQ4_XS: F16.Write(block, deviation / (Deviation6 * DeviationOfTable)); break;
            case TensorType.MXFP4: block[0] = (byte)(128 + (int)MathF.Round(MathF.Log2(deviation / DeviationOfSmallFloats))); break;
            case TensorType.Q6_K: F16.Write(block[208..], deviation / (Deviation8 * Deviation6)); break;
            case TensorType.Q4_1: SetScaleAndMinimum(deviation / Deviation4, -7.5f, block); break;
            case TensorType.Q5_1: SetScaleAndMinimum(deviation / Deviation5, -15.5f, block); break;
            case TensorType.Q4_K: SetScaleAndMinimum(deviation / (Mean6 * Deviation4), 7.5f, block); break;
            case TensorType.Q5_K: SetScaleAndMinimum(deviation / (Mean6 * Deviation5), 15.5f, block); break;
            default: throw new ArgumentOutOfRangeException(nameof(type), type, "not a quantised type");
        }
    }

    /// <summary>The minimum cancels the mean of unsigned values: it is added, or in k-quants subtracted.</summary>
    static void SetScaleAndMinimum(float scale, float mean, Span<byte> block)
    {
        F16.Write(block, scale);
        F16.Write(block[2..], mean * scale);
    }
}
