using Kvasir.Formats.Models;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache.Layout;

namespace Kvasir.Inference.Model;

/// <summary>
/// The decoder-only transformer: Vaswani et al., 2017, https://arxiv.org/abs/1706.03762, in the form of Llama, Touvron et al., 2023,
/// https://arxiv.org/abs/2302.13971 (RMSNorm before each sublayer, rotary positions, gated feed-forward, grouped-query attention).
/// </summary>
sealed class Transformer : ITransformer
{
    readonly ModelSpec _spec;
    readonly ModelWeights _weights;
    readonly KvLayout _layout;
    readonly CpuKernels _kernels;
    readonly RotaryTables _ropes;
    readonly Activations _activations;
    readonly ScoreForm[] _scores;
    readonly float _epsilon;

    /// <param name="spec">What the model is, as far as <see cref="SupportedModels"/> goes.</param>
    /// <param name="weights">Its tensors.</param>
    /// <param name="layout">Where keys and values lie in a block.</param>
    /// <param name="kernels">What computes.</param>
    /// <param name="context">Tokens of context that are served.</param>
    /// <param name="maxTokens">Most rows of a batch.</param>
    public Transformer(ModelSpec spec, ModelWeights weights, KvLayout layout, CpuKernels kernels, int context, int maxTokens)
    {
        (_spec, _weights, _layout, _kernels, _epsilon) = (spec, weights, layout, kernels, spec.Norm.Epsilon!.Value);
        _scores = [.. spec.Attention.Select(ScoreForm.Of)];
        _ropes = new RotaryTables(spec, weights.RopeDivisors, context, maxTokens);
        _activations = new Activations(spec, maxTokens);
        AttentionSpec[] attention = [.. spec.Layers.Select(layer => layer.Attention!)];
        kernels.Reserve(maxTokens, WidestInput(spec), new AttentionSize(
            attention.Max(layer => layer.Heads), attention.Max(layer => layer.Heads / layer.KvHeads),
            attention.Max(layer => layer.KeyDim), attention.Max(layer => layer.ValueDim)), LargestMixture());
        MaxTokens = maxTokens;
    }

    /// <inheritdoc/>
    public int MaxTokens { get; }

    /// <summary>What computes the kernels' jobs.</summary>
    public ComputePool? Threads { get; init; }

    /// <summary>What is disposed with it.</summary>
    public IDisposable[] Owned { get; init; } = [];

    /// <inheritdoc/>
    public Span<float> Logits(int i) => _activations.Logits.Span(i);

    /// <inheritdoc/>
    public ReadOnlySpan<float> Hidden(int i) => _activations.Normed.Span(i);

    /// <inheritdoc/>
    public bool Forward(Batch batch)
    {
        Activations a = _activations;
        int n = batch.Count;
        Embed(batch);
        for (int layer = 0; layer < _weights.Layers.Length; layer++)
        {
            LayerWeights w = _weights.Layers[layer];
            LayerActivations own = a.Layers[layer];
            (KvLayout layout, List<RowRun> runs) = _layout.Holds(layer) ? (_layout, batch.Runs) : (_layout.Windowed!, batch.WindowRuns);

            // x += W_o · attention(norm(x)); some normalise what is added, too, or nothing else
            FloatRows x = Normed(w.AttentionNorm, n);
            Product queries = new(w.Q, w.QBias, own.Queries);
            bool ownsCache = w is { K: not null, V: not null };
            if (ownsCache)
                _kernels.MatMul(x, n, queries, new Product(w.K!, w.KBias, own.Keys), new Product(w.V!, w.VBias, own.Values));
            else
                _kernels.MatMul(x, n, queries);
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
                    _kernels.StoreKv(layout, layer, runs, batch.Positions, own.Keys, own.Values);
            }
            AttentionInput attention = new(layout, layer, runs, batch.Positions, own.Queries, own.Attended, _scores[layer],
                w.Sinks, batch.Observer?.Scales(layer));
            if (!TryAttend(attention, batch))
                return false;
            batch.Observer?.SeeAttention(_kernels, attention);
            _kernels.MatMul(own.Attended, n, new Product(w.AttentionOutput, w.AttentionOutputBias, a.Projected));
            AddProjected(w.PostAttentionNorm, n);

            // x += W_down · (activation(W_gate · norm(x)) ⊙ W_up · norm(x))
            // the same of each expert that a row chooses, weighted, where there are some
            x = Normed(w.FeedForwardNorm, n);
            if (w.Experts is { } experts)
                _kernels.Experts(experts, x, n, a.Projected);
            else
            {
                _kernels.MatMul(x, n, new Product(w.Gate!, w.GateBias, own.Gate), new Product(w.Up!, w.UpBias, own.Up));
                Gate(layer, own, n);
                _kernels.MatMul(own.Gate, n, new Product(w.Down!, w.DownBias, a.Projected));
            }
            AddProjected(w.PostFeedForwardNorm, n);
        }

        // logits = W_output · norm(x), for the rows that want them
        int wanted = batch.LogitRows.Count;
        for (int i = 0; i < wanted; i++)
            a.Residual.Span(batch.LogitRows[i]).CopyTo(a.Residual.Span(i));
        a.ReserveLogits(wanted);
        _kernels.RmsNorm(a.Residual, _weights.OutputNorm, _epsilon, a.Normed, wanted);
        _kernels.MatMul(a.Normed, wanted, new Product(_weights.Output, null, a.Logits));
        if (_spec.LogitScale is not null || _spec.LogitSoftcap is not null)
            _kernels.FormLogits(a.Logits, _spec.LogitScale, _spec.LogitSoftcap, wanted);
        return true;
    }

    /// <summary>The residual stream, normalised if the sublayer has a norm before it.</summary>
    FloatRows Normed(FloatRows? weight, int tokens)
    {
        if (weight is null)
            return _activations.Residual;
        _kernels.RmsNorm(_activations.Residual, weight, _epsilon, _activations.Normed, tokens);
        return _activations.Normed;
    }

    /// <summary>Adds a sublayer's result, normalised if it has a norm after it.</summary>
    void AddProjected(FloatRows? weight, int tokens)
    {
        if (weight is not null)
            _kernels.RmsNorm(_activations.Projected, weight, _epsilon, _activations.Projected, tokens);
        _kernels.Add(_activations.Residual, _activations.Projected, _spec.ResidualScale ?? 1, tokens);
    }

    void Gate(int layer, LayerActivations own, int tokens)
    {
        if (_spec.Layers[layer].FeedForward!.Activation == FeedForwardSpec.Gelu)
            _kernels.GeGlu(own.Gate, own.Up, tokens);
        else
            _kernels.SwiGlu(own.Gate, own.Up, tokens);
    }

    /// <summary>
    /// Part by part where blocks come from the disk, in whole stretches; false when some did not come. Rows that read only some pages do so
    /// where they see everything; the others attend first.
    /// </summary>
    bool TryAttend(AttentionInput input, Batch batch)
    {
        bool paged = batch.PagedRuns.Count > 0 && input.Layout.Layers[input.Layer].State is LayerState.Full;
        for (bool ends = false; !ends;)
        {
            StretchPart part = StretchPart.All;
            if (batch.Streamed is { HasParts: true } && input.Layout == _layout && !batch.Streamed.TryNext(input.Layer, out part))
                return false;
            if (!paged || batch.WholeRuns.Count > 0)
                _kernels.Attention(paged ? input.Of(batch.WholeRuns) : input, part);
            if (paged)
                _kernels.BoundKeys(input.Of(batch.PagedRuns), part);
            ends = part.Ends;
        }
        return !paged || _kernels.PagedAttention(input.Of(batch.PagedRuns), batch.Streamed?.Pages);
    }

    /// <summary>What a layer's products of queries and keys are multiplied with.</summary>
    public double ScaleOf(int layer) => _scores[layer].Scale ?? 1 / Math.Sqrt(_layout.Layers[layer].KeyDim);

    /// <summary>How a layer rotates on average the queries of so many positions; null where it does not.</summary>
    public MeanRotation? MeanRotation(int layer, int from, int count) => _ropes[layer]?.Mean(from, count);

    public void Dispose()
    {
        foreach (IDisposable owned in Owned)
            owned.Dispose();
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
            Span<float> x = _activations.Residual.Span(row);
            _weights.Embedding.Row(batch.Tokens[row], x);
            for (int i = 0; i < x.Length && _spec.EmbeddingScale is { } scale; i++)
                x[i] *= scale;
            _ropes.Place(row, batch.Positions[row]);
        }
    }

    /// <summary>The largest in each respect; null for a model without experts.</summary>
    ExpertSize? LargestMixture() => _weights.Layers.Select(layer => layer.Experts).OfType<ExpertNetwork>().Select(experts => experts.Size)
        .Aggregate((ExpertSize?)null, (largest, size) => largest?.Or(size) ?? size);

    /// <summary>The most columns of a matrix.</summary>
    static int WidestInput(ModelSpec spec) =>
        Math.Max(spec.Width, spec.Layers.Select(LayerWidths.Of).Max(widths => Math.Max(widths.Attended, widths.Network)));
}
