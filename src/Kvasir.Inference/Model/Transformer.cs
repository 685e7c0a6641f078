using Kvasir.Inference.Kernels;
using Kvasir.KvCache.Layout;

namespace Kvasir.Inference.Model;

/// <summary>
/// The decoder-only transformer: Vaswani et al., 2017, https://arxiv.org/abs/1706.03762, in the form of Llama, Touvron et al., 2023,
/// https://arxiv.org/abs/2302.13971 (RMSNorm before each sublayer, rotary positions, gated feed-forward, grouped-query attention).
/// </summary>
sealed unsafe class Transformer : IDisposable
{
    readonly ModelConfig _config;
    readonly ModelWeights _weights;
    readonly KvLayout _layout;
    readonly CpuKernels _kernels;
    readonly RopeTable _rope;
    readonly Activations _activations;

    /// <param name="config">What the model is.</param>
    /// <param name="weights">Its tensors.</param>
    /// <param name="layout">Where keys and values lie in a block.</param>
    /// <param name="kernels">What computes.</param>
    /// <param name="maxTokens">Most rows of a batch.</param>
    public Transformer(ModelConfig config, ModelWeights weights, KvLayout layout, CpuKernels kernels, int maxTokens)
    {
        (_config, _weights, _layout, _kernels) = (config, weights, layout, kernels);
        _rope = new RopeTable(config.RopeDims, config.RopeBase, weights.RopeFactors, config.RopeStyle);
        _activations = new Activations(config, maxTokens);
        kernels.Reserve(maxTokens, Math.Max(Math.Max(config.Width, config.FeedForward), config.Heads * config.HeadDim), config.HeadDim, config.KvHeads, config.Heads / config.KvHeads);
        MaxTokens = maxTokens;
    }

    public int MaxTokens { get; }

    /// <summary>The logits of the i-th row that wanted them in the last batch, [vocabulary]; valid until the next.</summary>
    public Span<float> Logits(int i) => _activations.Logits.Span(i);

    /// <summary>The final hidden state of that row, normalised: what the output matrix turns into logits, [width]; valid until the next.</summary>
    public ReadOnlySpan<float> Hidden(int i) => _activations.Normed.Span(i);

    /// <summary>Computes a batch: writes its keys and values to the cache and leaves the logits of the rows that want them.</summary>
    /// <returns>False when keys and values that it needed did not come: nothing was computed.</returns>
    public bool Forward(Batch batch)
    {
        Activations a = _activations;
        int n = batch.Count;
        Embed(batch);
        for (int layer = 0; layer < _config.Layers; layer++)
        {
            LayerWeights w = _weights.Layers[layer];

            // x += W_o · attention(norm(x))
            _kernels.RmsNorm(a.Residual, w.AttentionNorm, _config.NormEpsilon, a.Normed, n);
            Product queries = new(w.Q, w.QBias, a.Queries);
            bool ownsCache = w is { K: not null, V: not null };
            if (ownsCache)
                _kernels.MatMul(a.Normed, n, queries, new Product(w.K!, w.KBias, a.Keys), new Product(w.V!, w.VBias, a.Values));
            else
                _kernels.MatMul(a.Normed, n, queries);
            if (w.QNorm is not null)
                _kernels.RmsNorm(a.Queries, w.QNorm, _config.NormEpsilon, a.Queries, n);
            _kernels.Rope(_rope, a.Rotations, a.Queries, _config.HeadDim, n);
            if (!batch.WaitForLayer(layer))
                return false;
            if (ownsCache)
            {
                if (w.KNorm is not null)
                    _kernels.RmsNorm(a.Keys, w.KNorm, _config.NormEpsilon, a.Keys, n);
                _kernels.Rope(_rope, a.Rotations, a.Keys, _config.HeadDim, n);
                _kernels.StoreKv(_layout, layer, batch.Runs, batch.Positions, a.Keys, a.Values);
            }
            _kernels.Attention(_layout, layer, batch.Runs, batch.Positions, a.Queries, a.Attended);
            _kernels.MatMul(a.Attended, n, new Product(w.AttentionOutput, w.AttentionOutputBias, a.Projected));
            _kernels.Add(a.Residual, a.Projected, n);

            // x += W_down · (silu(W_gate · norm(x)) ⊙ W_up · norm(x))
            _kernels.RmsNorm(a.Residual, w.FeedForwardNorm, _config.NormEpsilon, a.Normed, n);
            _kernels.MatMul(a.Normed, n, new Product(w.Gate, null, a.Gate), new Product(w.Up, null, a.Up));
            _kernels.SwiGlu(a.Gate, a.Up, n);
            _kernels.MatMul(a.Gate, n, new Product(w.Down, null, a.Projected));
            _kernels.Add(a.Residual, a.Projected, n);
        }

        // logits = W_output · norm(x), for the rows that want them
        int wanted = batch.LogitRows.Count;
        for (int i = 0; i < wanted; i++)
            a.Residual.Span(batch.LogitRows[i]).CopyTo(a.Residual.Span(i));
        a.ReserveLogits(wanted);
        _kernels.RmsNorm(a.Residual, _weights.OutputNorm, _config.NormEpsilon, a.Normed, wanted);
        _kernels.MatMul(a.Normed, wanted, new Product(_weights.Output, null, a.Logits));
        return true;
    }

    public void Dispose() => _activations.Dispose();

    void Embed(Batch batch)
    {
        for (int row = 0; row < batch.Count; row++)
        {
            _weights.Embedding.Row(batch.Tokens[row], _activations.Residual.Span(row));
            _rope.Fill(batch.Positions[row], _activations.Rotations[row]);
        }
    }
}
