using Kvasir.Inference.Kernels.Panels;
using Kvasir.Inference.Model;

namespace Kvasir.Inference.Measurement;

/// <summary>What a token costs a model at least, whatever computes it.</summary>
/// <param name="WeightBytes">Bytes of all matrices that a decode step reads: every one but the embedding, unless that is the output too.</param>
/// <param name="Flops">Floating-point operations of the matrix products for one token; two per weight. Prompt tokens skip the output matrix.</param>
/// <param name="OutputFlops">Of those, the output matrix's.</param>
/// <param name="KvBytesPerToken">Bytes of keys and values that a decode step reads for each token before it.</param>
/// <param name="AttentionFlopsPerToken">Operations of attention for each token before it.</param>
public sealed record ModelCost(long WeightBytes, long Flops, long OutputFlops, long KvBytesPerToken, long AttentionFlopsPerToken)
{
    /// <summary>Counts a model's tensors.</summary>
    public static ModelCost Of(InferenceEngine engine)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ModelWeights weights = engine.Model.Weights;
        PackedMatrix[] matrices = [.. weights.Layers.SelectMany(Matrices), weights.Output];
        return new ModelCost(
            matrices.Sum(matrix => matrix.FileBytes),
            matrices.Sum(Flops2), Flops2(weights.Output),
            engine.Layout.BytesPerToken,
            4L * engine.Model.Config.Layers * engine.Model.Config.Heads * engine.Model.Config.HeadDim); // q·K and weights·V, two operations each
    }

    static IEnumerable<PackedMatrix> Matrices(LayerWeights layer) => [layer.Q, layer.K, layer.V, layer.AttentionOutput, layer.Gate, layer.Up, layer.Down];

    static long Flops2(PackedMatrix matrix) => 2L * matrix.Rows * matrix.Columns;

    /// <summary>Bytes that one decode step reads with <paramref name="depth"/> tokens in the cache.</summary>
    public double DecodeBytes(double depth) => WeightBytes + depth * KvBytesPerToken;

    /// <summary>Operations of a prompt of <paramref name="tokens"/> tokens after <paramref name="depth"/> others, logits of the last one included.</summary>
    public double PrefillFlops(int tokens, int depth) =>
        (double)tokens * (Flops - OutputFlops) + OutputFlops + (double)AttentionFlopsPerToken * tokens * (depth + (tokens + 1) / 2.0);
}
