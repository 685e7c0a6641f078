using Kvasir.Inference.Kernels;

namespace Kvasir.Inference.Model;

/// <summary>
/// The tensors of a model. Matrices stay in the mapped file; norms, biases and rotary factors, which are small, are floats in memory.
/// Shapes are <c>[outputs, inputs]</c>; d is the model's width.
/// </summary>
sealed class ModelWeights
{
    public required Matrix Embedding { get; init; } // [vocabulary, d]
    public required LayerWeights[] Layers { get; init; }
    public required FloatRows OutputNorm { get; init; } // [d]
    public required Matrix Output { get; init; } // [vocabulary, d]; the embedding itself where the file ties them
    public required float[] RopeFactors { get; init; } // [rope dims / 2]
}

/// <summary>One layer's tensors. What an architecture does not have is null.</summary>
sealed class LayerWeights
{
    public required FloatRows AttentionNorm { get; init; } // [d]
    public required Matrix Q { get; init; } // [heads · head dim, d]
    public required Matrix K { get; init; } // [KV heads · head dim, d]
    public required Matrix V { get; init; } // [KV heads · head dim, d]
    public required Matrix AttentionOutput { get; init; } // [d, heads · head dim]
    public FloatRows? QBias { get; init; } // qwen2
    public FloatRows? KBias { get; init; }
    public FloatRows? VBias { get; init; }
    public FloatRows? AttentionOutputBias { get; init; }
    public FloatRows? QNorm { get; init; } // [head dim]; qwen3
    public FloatRows? KNorm { get; init; }
    public required FloatRows FeedForwardNorm { get; init; } // [d]
    public required Matrix Gate { get; init; } // [feed-forward, d]
    public required Matrix Up { get; init; } // [feed-forward, d]
    public required Matrix Down { get; init; } // [d, feed-forward]
}
