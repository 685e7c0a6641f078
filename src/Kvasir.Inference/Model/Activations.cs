using Kvasir.Inference.Kernels.Panels;
using Kvasir.Inference.Kernels;

namespace Kvasir.Inference.Model;

/// <summary>The intermediate values of a forward pass, one row a token; allocated once for the largest batch.</summary>
sealed class Activations(ModelConfig config, int maxTokens) : IDisposable
{
    public FloatRows Residual { get; } = new(maxTokens, config.Width); // [tokens, d]
    public FloatRows Normed { get; } = new(maxTokens, config.Width); // [tokens, d]
    public FloatRows Queries { get; } = new(maxTokens, config.Heads * config.HeadDim); // [tokens, heads · head dim]
    public FloatRows Keys { get; } = new(maxTokens, config.KvHeads * config.HeadDim); // [tokens, KV heads · head dim]
    public FloatRows Values { get; } = new(maxTokens, config.KvHeads * config.HeadDim); // [tokens, KV heads · head dim]
    public FloatRows Attended { get; } = new(maxTokens, config.Heads * config.HeadDim); // [tokens, heads · head dim]
    public FloatRows Projected { get; } = new(maxTokens, config.Width); // [tokens, d]
    public FloatRows Gate { get; } = new(maxTokens, config.FeedForward); // [tokens, feed-forward]
    public FloatRows Up { get; } = new(maxTokens, config.FeedForward); // [tokens, feed-forward]
    public FloatRows Rotations { get; } = new(maxTokens, 2 * config.RopeDims); // [tokens, cos × dims | ± sin × dims]

    /// <summary>[rows that want logits, vocabulary]; grows when a batch wants more rows than any before it.</summary>
    public FloatRows Logits { get; private set; } = new(1, config.Vocabulary);

    public void ReserveLogits(int rows)
    {
        if (rows <= Logits.Rows)
            return;
        Logits.Dispose();
        Logits = new FloatRows(rows, config.Vocabulary);
    }

    public void Dispose()
    {
        foreach (FloatRows rows in (FloatRows[])[Residual, Normed, Queries, Keys, Values, Attended, Projected, Gate, Up, Rotations, Logits])
            rows.Dispose();
    }
}
