using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Model;

/// <summary>
/// The tensors of a model. Matrices lie where the backend reads them, on the CPU in panels in memory of their own; the embedding stays
/// where it is stored; norms, biases and rotary factors, which are small, are floats in memory. Shapes are <c>[outputs, inputs]</c>; d
/// is the model's width.
/// </summary>
sealed class ModelWeights : IDisposable
{
    public required EmbeddingTable Embedding { get; init; } // [vocabulary, d]
    public required LayerWeights[] Layers { get; init; }
    public required FloatRows OutputNorm { get; init; } // [d]
    public required PackedMatrix Output { get; init; } // [vocabulary, d]; a copy of the embedding where the file ties them
    public float[]? RopeDivisors { get; init; } // [rope dims / 2]; Llama 3
    public required IDisposable Memory { get; init; } // of all matrices

    /// <summary>
    /// Bytes of all matrices that a step for one token reads: every one but the embedding, unless that is the output too, and of experts
    /// those that it chooses.
    /// </summary>
    public long BytesPerStep => Output.FileBytes + Layers.Sum(layer => layer.Read.Sum(read => (long)(read.Share * read.Matrix.FileBytes)));

    public void Dispose() => Memory.Dispose();
}

/// <summary>One layer's tensors. What an architecture does not have is null.</summary>
sealed class LayerWeights
{
    public FloatRows? AttentionNorm { get; init; } // [d]
    public required PackedMatrix Q { get; init; } // [heads · key dim, d]
    public PackedMatrix? K { get; init; } // [KV heads · key dim, d]; null where the layer reads another's
    public PackedMatrix? V { get; init; } // [KV heads · value dim, d]
    public required PackedMatrix AttentionOutput { get; init; } // [d, heads · value dim]
    public FloatRows? QBias { get; init; } // qwen2
    public FloatRows? KBias { get; init; }
    public FloatRows? VBias { get; init; }
    public FloatRows? AttentionOutputBias { get; init; }
    public FloatRows? QNorm { get; init; } // [key dim]; qwen3; or as wide as all queries: olmo2
    public FloatRows? KNorm { get; init; }
    public FloatRows? PostAttentionNorm { get; init; } // [d]; gemma2
    public FloatRows? FeedForwardNorm { get; init; } // [d]
    public FloatRows? Sinks { get; init; } // [heads], as powers of 2; gpt-oss
    public PackedMatrix? Gate { get; init; } // [feed-forward, d]; null, like the next two, where there are experts
    public PackedMatrix? Up { get; init; } // [feed-forward, d]
    public PackedMatrix? Down { get; init; } // [d, feed-forward]
    public FloatRows? GateBias { get; init; }
    public FloatRows? UpBias { get; init; }
    public FloatRows? DownBias { get; init; }
    public FloatRows? PostFeedForwardNorm { get; init; } // [d]; gemma2

    public ExpertNetwork? Experts { get; init; }

    /// <summary>The matrices that one token is multiplied with, and which share of each.</summary>
    public IEnumerable<(PackedMatrix Matrix, double Share)> Read =>
        new[] { Q, K, V, AttentionOutput, Gate, Up, Down, Experts?.Router }.OfType<PackedMatrix>().Select(matrix => (matrix, 1.0))
            .Concat(Experts is null ? [] : Experts.Stacks.Select(stack => (stack, (double)Experts.Chosen / Experts.Count)));
}
