using System.Collections.Immutable;
using Kvasir.Formats.Models;
using Kvasir.Planning.Sizing;

namespace Kvasir.Tests.Sizing;

/// <summary>Models of published estimates, from their dimensions.</summary>
static class SpeedOfLightModels
{
    /// <summary>zeux's, https://zeux.io/2024/03/15/llm-inference-sol/; without norms, as there.</summary>
    public static ModelSpec Mistral7B { get; } = Dense("Mistral 7B", 32, 4096, 14336, 32, 8, 128, 32000);

    public static ModelSpec Llama2_7B { get; } = Dense("Llama-2 7B", 32, 4096, 11008, 32, 32, 128, 32000);

    public static ModelSpec Llama2_13B { get; } = Dense("Llama-2 13B", 40, 5120, 13824, 40, 40, 128, 32000);

    public static ModelSpec Llama3_70B { get; } = Dense("Llama-3 70B", 80, 8192, 28672, 64, 8, 128, 128256);

    /// <summary>The model that the scaling book makes up for its exercises: input and output matrix are one.</summary>
    public static ModelSpec Exercise { get; } = Dense("exercise", 64, 4096, 16384, 32, 8, 256, 32128, tied: true);

    /// <summary>A mixture of 8 of 128 experts: 1000 dense parameters beside an embedding of 100, 64 for each expert.</summary>
    public static ModelSpec Mixture { get; } = Exercise with
    {
        Name = "mixture",
        Width = 10,
        Vocabulary = 10,
        Parameters = 100 + 1000 + 128 * 64,
        ActiveParameters = 1000 + 8 * 64,
        Experts = new ExpertSpec(new ExpertRouting(8, 128), 128 * 64),
    };

    public static ModelSpec Dense(string name, int layers, int width, int feedForward, int heads, int kvHeads, int headDim,
        int vocabulary, bool tied = false)
    {
        long perLayer = (long)width * (3L * feedForward + 2L * headDim * (heads + kvHeads)), embedding = (long)vocabulary * width;
        return new ModelSpec
        {
            Name = name,
            Source = "a test",
            Architecture = "llama",
            Context = 8192,
            Width = width,
            Vocabulary = vocabulary,
            Layers = [.. Enumerable.Range(0, layers)
                .Select(i => new LayerSpec { Attention = new(heads, kvHeads, headDim, headDim, null, i) })],
            Parameters = layers * perLayer + (tied ? 1 : 2) * embedding,
            ActiveParameters = layers * perLayer + embedding,
        };
    }

    public static ModelSpec With(this ModelSpec model, params ImmutableArray<AttentionSpec> layers) =>
        model with { Layers = [.. layers.Select(layer => new LayerSpec { Attention = layer })] };
}
