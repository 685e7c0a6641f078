using System.Collections.Immutable;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Quantization;

namespace Kvasir.Formats.Models;

/// <summary>
/// LongRoPE's divisors, which were searched for and are stored with the weights: Ding et al., 2024, https://arxiv.org/abs/2402.13753.
/// </summary>
static class LongRope
{
    /// <summary>Divisors for contexts longer than the original one, [dims / 2].</summary>
    public const string Long = "rope_factors_long.weight";

    /// <summary>Divisors for the others, [dims / 2].</summary>
    public const string Short = "rope_factors_short.weight";

    /// <summary>The scaling with the divisors of a file.</summary>
    /// <exception cref="ModelFormatException">They are missing, of another length, or not positive.</exception>
    public static RopeScaling Read(IModelFile file, RopeScaling scaling, int dims) => scaling with
    {
        ShortDivisors = Divisors(file, Short, dims / 2),
        LongDivisors = Divisors(file, Long, dims / 2),
        AttentionFactor = scaling.AttentionFactor ?? 1, // files give it whole
    };

    static ImmutableArray<float> Divisors(IModelFile file, string name, int count)
    {
        if (!file.TryGetTensor(name, out StoredTensor? tensor))
            throw ModelFormatException.At(file.Path, $"tensor {name}", "the tensor is missing", $"[{count}]: divisors of rotary frequencies");
        if (tensor.Rows != 1 || tensor.Columns != count)
            throw ModelFormatException.At(file.Path, $"tensor {name}", $"shape {tensor.ShapeText}", $"[{count}]");
        float[] divisors = new float[count];
        RowFormat.Dequantize(tensor.Type, file.Row(tensor, 0), divisors);
        int wrong = Array.FindIndex(divisors, divisor => !float.IsFinite(divisor) || divisor <= 0);
        return wrong < 0
            ? [.. divisors]
            : throw ModelFormatException.At(file.Path, $"tensor {name}[{wrong}]", $"{divisors[wrong]}", "a positive number");
    }
}
