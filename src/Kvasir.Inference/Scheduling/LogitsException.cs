using System.Runtime.Intrinsics;

namespace Kvasir.Inference.Scheduling;

/// <summary>A model computed what is no number, where a token's chance or a text's vector was wanted: its weights are damaged.</summary>
/// <param name="message">One line that names the model.</param>
public sealed class LogitsException(string message) : Exception(message)
{
    /// <summary>The same values, none of which is NaN or ∞; a logit of −∞ is a token without a chance.</summary>
    /// <exception cref="LogitsException">One of them is.</exception>
    internal static ReadOnlySpan<float> Checked(ReadOnlySpan<float> values, string what, string model)
    {
        int i = 0;
        Vector512<float> seen = default; // bits of lanes that were not below ∞
        for (; i <= values.Length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            Vector512<float> x = Vector512.Create(values[i..]);
            seen |= Vector512.OnesComplement(Vector512.LessThan(x, Vector512.Create(float.PositiveInfinity)));
        }
        bool isWrong = Vector512.ExtractMostSignificantBits(seen) != 0;
        for (; i < values.Length; i++)
            isWrong |= !(values[i] < float.PositiveInfinity);
        return isWrong
            ? throw new LogitsException($"{model}: {what} with values that are no numbers: the model's weights are damaged")
            : values;
    }
}
