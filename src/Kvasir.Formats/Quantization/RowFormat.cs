using System.Runtime.InteropServices;

namespace Kvasir.Formats.Quantization;

/// <summary>
/// Converts one row of a tensor from or to floats. Results are the same bits on every machine: each value is one multiplication, or one
/// multiplication and one separately rounded addition, and never a fused one.
/// </summary>
public static class RowFormat
{
    /// <summary>Expands a row. <paramref name="destination"/> has a length of exactly the row's columns.</summary>
    public static void Dequantize(TensorType type, ReadOnlySpan<byte> row, Span<float> destination)
    {
        CheckLengths(type, row.Length, destination.Length);
        switch (type)
        {
            case TensorType.F32: row.CopyTo(MemoryMarshal.AsBytes(destination)); break;
            case TensorType.F16: F16.Dequantize(row, destination); break;
            case TensorType.BF16: BF16.Dequantize(row, destination); break;
            case TensorType.Q8_0: Q8_0.Dequantize(row, destination); break;
            case TensorType.Q4_0: Q4_0.Dequantize(row, destination); break;
            case TensorType.Q4_1: Q4_1.Dequantize(row, destination); break;
            case TensorType.Q5_0: Q5_0.Dequantize(row, destination); break;
            case TensorType.Q5_1: Q5_1.Dequantize(row, destination); break;
            case TensorType.Q2_K: Q2_K.Dequantize(row, destination); break;
            case TensorType.Q3_K: Q3_K.Dequantize(row, destination); break;
            case TensorType.Q4_K: Q4_K.Dequantize(row, destination); break;
            case TensorType.Q5_K: Q5_K.Dequantize(row, destination); break;
            case TensorType.Q6_K: Q6_K.Dequantize(row, destination); break;
            case TensorType.IQ3_XXS: IQ3_XXS.Dequantize(row, destination); break;
            case TensorType.IQ3_S: IQ3_S.Dequantize(row, destination); break;
            case TensorType.IQ4_NL: IQ4_NL.Dequantize(row, destination); break;
            case TensorType.IQ4_XS: IQ4_XS.Dequantize(row, destination); break;
            case TensorType.MXFP4: MXFP4.Dequantize(row, destination); break;
            default: throw new ArgumentOutOfRangeException(nameof(type), type, "not a tensor type");
        }
    }

    /// <summary>
    /// Packs a row, with the rounding of ggml's reference code; k-quants with a search of our own, which loses less. See
    /// <see cref="CanQuantize"/> for the types.
    /// </summary>
    public static void Quantize(TensorType type, ReadOnlySpan<float> row, Span<byte> destination)
    {
        CheckLengths(type, destination.Length, row.Length);
        switch (type)
        {
            case TensorType.F32: MemoryMarshal.AsBytes(row).CopyTo(destination); break;
            case TensorType.F16: F16.Quantize(row, destination); break;
            case TensorType.BF16: BF16.Quantize(row, destination); break;
            case TensorType.Q8_0: Q8_0.Quantize(row, destination); break;
            case TensorType.Q4_0: Q4_0.Quantize(row, destination); break;
            case TensorType.Q4_1: Q4_1.Quantize(row, destination); break;
            case TensorType.Q5_0: Q5_0.Quantize(row, destination); break;
            case TensorType.Q5_1: Q5_1.Quantize(row, destination); break;
            case TensorType.Q4_K: Q4_K.Quantize(row, destination); break;
            case TensorType.Q5_K: Q5_K.Quantize(row, destination); break;
            case TensorType.Q6_K: Q6_K.Quantize(row, destination); break;
            default: throw new ArgumentOutOfRangeException(nameof(type), type, "rows of this type can only be read");
        }
    }

    /// <summary>Whether rows of this type can be written: all but those of two and three bits and those that choose from a table.</summary>
    public static bool CanQuantize(TensorType type) => type is TensorType.F32 or TensorType.F16 or TensorType.BF16 or TensorType.Q8_0
        or TensorType.Q4_0 or TensorType.Q4_1 or TensorType.Q5_0 or TensorType.Q5_1
        or TensorType.Q4_K or TensorType.Q5_K or TensorType.Q6_K;

    static void CheckLengths(TensorType type, int bytes, int elements)
    {
        if (bytes != type.RowBytes(elements))
            throw new ArgumentException($"{bytes} bytes do not hold a row of {elements} values of {type.DisplayName()}");
    }
}
