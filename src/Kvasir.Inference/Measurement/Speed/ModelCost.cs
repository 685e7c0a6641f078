using Kvasir.Formats.Models;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.Inference.Model;

namespace Kvasir.Inference.Measurement.Speed;

/// <summary>Operations by the numbers that they work on; a multiply-add is two.</summary>
/// <param name="Int8">On 8-bit integers: products with quantised weights.</param>
/// <param name="Fp32">On single-precision numbers: products with all other weights, and attention.</param>
public readonly record struct Operations(double Int8, double Fp32)
{
    /// <summary>Both kinds.</summary>
    public double All => Int8 + Fp32;

    /// <summary>Seconds that they take at least: one kind after the other, since they share the same threads.</summary>
    public double Seconds(ThreadLimits limits) => Int8 / limits.Int8PerS + Fp32 / limits.Fp32PerS;

    /// <summary>Sum.</summary>
    public static Operations operator +(Operations a, Operations b) => new(a.Int8 + b.Int8, a.Fp32 + b.Fp32);

    /// <summary>Multiple.</summary>
    public static Operations operator *(double times, Operations a) => new(times * a.Int8, times * a.Fp32);
}

/// <summary>What a token costs a model at least, whatever computes it.</summary>
/// <param name="WeightBytes">Bytes of all matrices that a decode step reads: every one but the embedding, unless
/// that is the output too, and of experts those that a token chooses.</param>
/// <param name="Layers">Operations of the layers' matrix products for one token; two per weight.</param>
/// <param name="Output">Those of the output matrix, which only tokens with logits are multiplied with.</param>
/// <param name="KvBytesPerToken">Bytes of keys and values that a decode step reads for each token before it.</param>
/// <param name="AttentionPerToken">Operations of attention for each token before it.</param>
public sealed record ModelCost(long WeightBytes, Operations Layers, Operations Output, long KvBytesPerToken, Operations AttentionPerToken)
{
    /// <summary>Counts a model's tensors.</summary>
    public static ModelCost Of(InferenceEngine engine)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ModelWeights weights = engine.Model.Weights;
        (PackedMatrix Matrix, double Share)[] layers = [.. weights.Layers.SelectMany(layer => layer.Read)];
        return new ModelCost(
            weights.BytesPerStep,
            layers.Aggregate(default(Operations), (sum, read) => sum + read.Share * Products(read.Matrix)), Products(weights.Output),
            engine.Layout.BytesPerToken,
            new Operations(0, engine.Model.Config.Layers.Sum(layer => OperationsPerToken(layer.Attention!))));
    }

    /// <summary>q·K and weights·V, two operations for each element.</summary>
    static double OperationsPerToken(AttentionSpec layer) => 2.0 * layer.Heads * ((double)layer.KeyDim + layer.ValueDim);

    static Operations Products(PackedMatrix matrix)
    {
        double operations = 2.0 * matrix.Rows * matrix.Columns;
        return matrix.IsQuantized ? new(operations, 0) : new(0, operations);
    }

    /// <summary>Bytes that one decode step reads with <paramref name="depth"/> tokens in the cache.</summary>
    public double DecodeBytes(double depth) => WeightBytes + depth * KvBytesPerToken;

    /// <summary>
    /// Operations of a prompt of <paramref name="tokens"/> tokens after <paramref name="depth"/> others, logits of the last one included.
    /// </summary>
    public Operations Prefill(int tokens, int depth) =>
        tokens * Layers + Output + tokens * (depth + (tokens + 1) / 2.0) * AttentionPerToken;
}
