using System.Collections.Immutable;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Inference.Kernels;
using Kvasir.KvCache.Layout;

namespace Kvasir.Inference.Model;

/// <summary>
/// What makes one decoder-only transformer differ from another, as numbers. One forward pass serves every architecture: llama (Llama 2 and 3,
/// Mistral, SmolLM2, TinyLlama), qwen2 and qwen3.
/// </summary>
public sealed record ModelConfig
{
    /// <summary>Architecture as the file names it.</summary>
    public required string Architecture { get; init; }

    /// <summary>Name as the file gives it, or the architecture.</summary>
    public required string Name { get; init; }

    /// <summary>Transformer layers.</summary>
    public required int Layers { get; init; }

    /// <summary>Width of the residual stream, d.</summary>
    public required int Width { get; init; }

    /// <summary>Width of the feed-forward network's hidden layer.</summary>
    public required int FeedForward { get; init; }

    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Key-value heads; query heads share them in groups of <c>Heads / KvHeads</c> (GQA; MQA when there is one).</summary>
    public required int KvHeads { get; init; }

    /// <summary>Elements of one head's query, key and value; not always <c>Width / Heads</c>.</summary>
    public required int HeadDim { get; init; }

    /// <summary>Tokens of context that the model was trained for.</summary>
    public required int Context { get; init; }

    /// <summary>Entries of the vocabulary.</summary>
    public required int Vocabulary { get; init; }

    /// <summary>Added to the mean square in RMSNorm.</summary>
    public required float NormEpsilon { get; init; }

    /// <summary>Base of the rotary frequencies.</summary>
    public required float RopeBase { get; init; }

    /// <summary>Elements of a head that are rotated; the rest stay.</summary>
    public required int RopeDims { get; init; }

    /// <summary>Which elements are rotated together.</summary>
    public required RopeStyle RopeStyle { get; init; }

    /// <summary>Linear context scaling: positions are divided by this.</summary>
    public required float RopeScale { get; init; }

    /// <summary>Of each layer, its sliding window in tokens, the current one included, or null where it attends to everything.</summary>
    public required ImmutableArray<int?> Windows { get; init; }

    /// <summary>Of each layer, the one whose keys and values it reads: itself, or an earlier one (Brandon et al., 2024, "Reducing Transformer Key-Value Cache Size with Cross-Layer Attention", https://arxiv.org/abs/2405.12981).</summary>
    public required ImmutableArray<int> Producers { get; init; }

    /// <summary>What each layer keeps in the KV cache.</summary>
    public IEnumerable<KvLayer> KvLayers =>
        Enumerable.Range(0, Layers).Select(layer =>
            new KvLayer(Windows[layer] is { } tokens ? new LayerState.Window(tokens) : new LayerState.Full(), KvHeads, HeadDim, Producers[layer]));

    /// <summary>Reads the configuration of a model file and checks that its numbers fit together.</summary>
    /// <exception cref="ModelFormatException">A key is missing, of the wrong type or out of range, or the architecture is unknown.</exception>
    public static ModelConfig From(GgufFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return new ModelConfigReader(file).Read();
    }
}
