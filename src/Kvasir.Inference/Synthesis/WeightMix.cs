using Kvasir.Formats;
using Kvasir.Formats.Quantization;

namespace Kvasir.Inference.Synthesis;

/// <summary>Which type each matrix of a model gets: one for all, or the mixture that llama.cpp calls q4_k_m.</summary>
public sealed record WeightMix
{
    WeightMix(string name, TensorType type, bool isMixture) => (Name, Type, IsMixture) = (name, type, isMixture);

    /// <summary>Every mix, by name.</summary>
    public static IReadOnlyDictionary<string, WeightMix> All { get; } = new[]
    {
        new WeightMix("f16", TensorType.F16, false), new WeightMix("q8_0", TensorType.Q8_0, false),
        new WeightMix("q4_0", TensorType.Q4_0, false), new WeightMix("q4_k_m", TensorType.Q4_K, true),
    }.ToDictionary(mix => mix.Name);

    /// <summary>Name as users type it.</summary>
    public string Name { get; }

    TensorType Type { get; }

    bool IsMixture { get; }

    /// <summary>
    /// The type of a matrix. In the mixture, output and embedding and half of the value and down projections get six bits.
    /// </summary>
    internal TensorType TypeOf(string tensor, int columns, int layer, int layers)
    {
        if (!IsMixture)
            return Type;
        bool more = layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
        bool sixBits = tensor is "token_embd.weight" or "output.weight"
            || more
            && (tensor.EndsWith("attn_v.weight", StringComparison.Ordinal) || tensor.EndsWith("ffn_down.weight", StringComparison.Ordinal));
        return (sixBits, columns % TensorType.Q4_K.BlockElements() == 0) switch
        {
            (true, true) => TensorType.Q6_K,
            (false, true) => TensorType.Q4_K,
            (true, false) => TensorType.Q8_0, // k-quants need rows of whole blocks; these are llama.cpp's substitutes
            (false, false) => TensorType.Q5_0,
        };
    }
}
