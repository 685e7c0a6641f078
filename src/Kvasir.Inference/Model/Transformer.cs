using Kvasir.Formats.Models;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache.Layout;

namespace Kvasir.Inference.Model;

/// <summary>
/// The decoder-only transformer: Vaswani et al., 2017, https://arxiv.org/abs/1706.03762, in the form of Llama, Touvron et al., 2023,
/// https://arxiv.org/abs/2302.13971 (RMSNorm before each sublayer, rotary positions, gated feed-forward, grouped-query attention).
/// </summary>
sealed class Transformer : IDisposable
{
    readonly ModelWeights _weights;
    readonly KvLayout _layout;
    readonly CpuKernels _kernels;
    readonly RotaryTables _ropes;
    readonly Activations _activations;
    readonly float _epsilon;

    /// <param name="spec">What the model is, as far as <see cref="SupportedModels"/> goes.</param>
    /// <param name="weights">Its tensors.</param>
    /// <param name="layout">Where keys and values lie in a block.</param>
    /// <param name="kernels">What computes.</param>
    /// <param name="maxTokens">Most rows of a batch.</param>
    public Transformer(ModelSpec spec, ModelWeights weights, KvLayout layout, CpuKernels kernels, int maxTokens)
    {
        (_weights, _layout, _kernels, _epsilon) = (weights, layout, kernels, spec.Norm.Epsilon!.Value);
        _ropes = new RotaryTables(spec, weights.RopeDivisors, maxTokens);
        _activations = new Activations(spec, maxTokens);
        AttentionSpec[] attention = [.. spec.Layers.Select(layer => layer.Attention!)];
        kernels.Reserve(maxTokens, WidestInput(spec), new AttentionSize(
            attention.Max(layer => layer.Heads), attention.Max(layer => layer.Heads / layer.KvHeads),
            attention.Max(layer => layer.KeyDim), attention.Max(layer => layer.ValueDim)));
        MaxTokens = maxTokens;
    }

    public int MaxTokens { get; }

    /// <summary>The logits of the i-th row that wanted them in the last batch, [vocabulary]; valid until the next.</summary>
    public Span<float> Logits(int i) => _activations.Logits.Span(i);

    /// <summary>
    /// The final hidden state of that row, normalised: what the output matrix turns into logits, [width]; valid until the next.
    /// </summary>
    public ReadOnlySpan<float> Hidden(int i) => _activations.Normed.Span(i);

    /// <summary>Computes a batch: writes its keys and values to the cache and leaves the logits of the rows that want them.</summary>
    /// <returns>False when keys and values that it needed did not come: nothing was computed.</returns>
    public bool Forward(Batch batch)
    {
        Activations a = _activations;
        int n = batch.Count;
        Embed(batch);
        for (int layer = 0; layer < _weights.Layers.Length; layer++)
        {
            LayerWeights w = _weights.Layers[layer];
            LayerActivations own = a.Layers[layer];

            // x += W_o · attention(norm(x))
            _kernels.RmsNorm(a.Residual, w.AttentionNorm, _epsilon, a.Normed, n);
            Product queries = new(w.Q, w.QBias, own.Queries);
            bool ownsCache = w is { K: not null, V: not null };
            if (ownsCache)
                _kernels.MatMul(a.Normed, n, queries, new Product(w.K!, w.KBias, own.Keys), new Product(w.V!, w.VBias, own.Values));
            else
                _kernels.MatMul(a.Normed, n, queries);
            if (w.QNorm is not null)
                _kernels.RmsNorm(own.Queries, w.QNorm, _epsilon, own.Queries, n);
            batch.Observer?.SeeQueries(layer, own.Queries, n);
            Rotate(layer, own.Queries, n);
            if (!batch.WaitForLayer(layer))
                return false;
            if (ownsCache)
            {
                if (w.KNorm is not null)
                    _kernels.RmsNorm(own.Keys, w.KNorm, _epsilon, own.Keys, n);
                Rotate(layer, own.Keys, n);
                if (batch.Observer is not { LeavesCache: true })
                    _kernels.StoreKv(_layout, layer, batch.Runs, batch.Positions, own.Keys, own.Values);
            }
            AttentionInput attention =
                new(_layout, layer, batch.Runs, batch.Positions, own.Queries, own.Attended, batch.Observer?.Scales(layer));
            if (!TryAttend(attention, batch))
                return false;
            batch.Observer?.SeeAttention(_kernels, attention);
            _kernels.MatMul(own.Attended, n, new Product(w.AttentionOutput, w.AttentionOutputBias, a.Projected));
            _kernels.Add(a.Residual, a.Projected, n);

            // x += W_down · (silu(W_gate · norm(x)) ⊙ W_up · norm(x))
            _kernels.RmsNorm(a.Residual, w.FeedForwardNorm, _epsilon, a.Normed, n);
            _kernels.MatMul(a.Normed, n, new Product(w.Gate, null, own.Gate), new Product(w.Up, null, own.Up));
            _kernels.SwiGlu(own.Gate, own.Up, n);
            _kernels.MatMul(own.Gate, n, new Product(w.Down, null, a.Projected));
            _kernels.Add(a.Residual, a.Projected, n);
        }

        // logits = W_output · norm(x), for the rows that want them
        int wanted = batch.LogitRows.Count;
        for (int i = 0; i < wanted; i++)
            a.Residual.Span(batch.LogitRows[i]).CopyTo(a.Residual.Span(i));
        a.ReserveLogits(wanted);
        _kernels.RmsNorm(a.Residual, _weights.OutputNorm, _epsilon, a.Normed, wanted);
        _kernels.MatMul(a.Normed, wanted, new Product(_weights.Output, null, a.Logits));
        return true;
    }

    /// <summary>
    /// Part by part where blocks come from the disk, in whole stretches; false when some did not come. Rows that read only some pages do so
    /// where they see everything; the others attend first.
    /// </summary>
    bool TryAttend(AttentionInput input, Batch batch)
    {
        bool paged = batch.PagedRuns.Count > 0 && _layout.Layers[input.Layer].State is LayerState.Full;
        for (bool ends = false; !ends;)
        {
            StretchPart part = StretchPart.All;
            if (batch.Streamed is { HasParts: true } && !batch.Streamed.TryNext(input.Layer, out part))
                return false;
            if (!paged || batch.WholeRuns.Count > 0)
                _kernels.Attention(paged ? input.Of(batch.WholeRuns) : input, part);
            if (paged)
                _kernels.BoundKeys(input.Of(batch.PagedRuns), part);
            ends = part.Ends;
        }
        return !paged || _kernels.PagedAttention(input.Of(batch.PagedRuns), batch.Streamed?.Pages);
    }

    /// <summary>How a layer rotates on average the queries of so many positions; null where it does not.</summary>
    public MeanRotation? MeanRotation(int layer, int from, int count) => _ropes[layer]?.Mean(from, count);

    public void Dispose()
    {
        _activations.Dispose();
        _ropes.Dispose();
    }

    void Rotate(int layer, FloatRows heads, int tokens)
    {
        if (_ropes[layer] is { } rope)
            _kernels.Rope(rope, heads, _layout.Layers[layer].KeyDim, tokens);
    }

    void Embed(Batch batch)
    {
        for (int row = 0; row < batch.Count; row++)
        {
            _weights.Embedding.Row(batch.Tokens[row], _activations.Residual.Span(row));
            _ropes.Place(row, batch.Positions[row]);
        }
    }

    /// <summary>The most columns of a matrix.</summary>
    static int WidestInput(ModelSpec spec) =>
        Math.Max(spec.Width, spec.Layers.Select(LayerWidths.Of).Max(widths => Math.Max(widths.Attended, widths.Network)));
}
