using Kvasir.Formats.Models;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.Inference.Model;
using Kvasir.KvCache;
using Kvasir.KvCache.Layout;
using Kvasir.Vulkan.Recording;

namespace Kvasir.Vulkan.Passes;

/// <summary>
/// The forward pass on a device: it reads as <see cref="Transformer"/> does, and writes down what that does. One pass is one list of commands;
/// only tokens go there, and only logits come back.
/// </summary>
sealed class VulkanTransformer : ITransformer
{
    readonly IComputeDevice _device;
    readonly ModelSpec _spec;
    readonly ModelWeights _weights;
    readonly DeviceWeights _matrices;
    readonly DeviceVectors _vectors;
    readonly KvLayout _layout;
    readonly VulkanArena _arena;
    readonly VulkanArena? _windows;
    readonly RotaryTables _ropes;
    readonly RopeTable[] _tables;
    readonly PassMemory _memory;
    readonly PassInput _input;
    readonly float _epsilon;
    Recorder _recorder = new();
    int _answers; // rows of the last batch that wanted logits

    /// <param name="device">The device.</param>
    /// <param name="spec">What the model is, as far as <see cref="VulkanModels"/> goes.</param>
    /// <param name="weights">Its tensors, whose matrices are there.</param>
    /// <param name="cache">The cache, whose pools are there.</param>
    /// <param name="context">Tokens of context that are served.</param>
    /// <param name="maxTokens">Most rows of a batch.</param>
    public VulkanTransformer(IComputeDevice device, ModelSpec spec, ModelWeights weights, TieredKvCache cache, int context, int maxTokens)
    {
        (_device, _spec, _weights, _layout, MaxTokens) = (device, spec, weights, cache.Layout, maxTokens);
        _matrices = (DeviceWeights)weights.Memory;
        _epsilon = spec.Norm.Epsilon!.Value;
        _arena = (VulkanArena)cache.Device.Arena;
        _windows = (VulkanArena?)cache.Windows?.Device.Arena;
        _ropes = new RotaryTables(spec, weights.RopeDivisors, context, maxTokens);
        _tables = [.. Enumerable.Range(0, spec.Layers.Length).Select(layer => _ropes[layer]).OfType<RopeTable>().Distinct()];
        _vectors = new DeviceVectors(device, weights);
        try
        {
            _memory = new PassMemory(device, spec, maxTokens, [.. _tables.Select(table => 2 * table.Dims)],
                (long)maxTokens * (_layout.BlocksFor(context) + 1), _windows is null ? 1 : 2);
        }
        catch
        {
            _vectors.Dispose();
            _ropes.Dispose();
            throw;
        }
        _input = new PassInput(_memory, weights.Embedding, spec.Width, spec.EmbeddingScale, _ropes, _tables);
    }

    /// <inheritdoc/>
    public int MaxTokens { get; }

    /// <inheritdoc/>
    public Span<float> Logits(int i) => _memory.Answers.Span<float>((long)i * _spec.Vocabulary * sizeof(float), _spec.Vocabulary);

    /// <inheritdoc/>
    public ReadOnlySpan<float> Hidden(int i) => _memory.Answers.Span<float>(
        ((long)_answers * _spec.Vocabulary + (long)i * _spec.Width) * sizeof(float), _spec.Width);

    /// <inheritdoc/>
    public bool Forward(Batch batch)
    {
        if (batch.Observer is not null || batch.PagedRuns.Count > 0 || batch.Streamed is not null)
            throw new InvalidOperationException($"{_device.Name}: a pass that it does not compute");
        for (int layer = 0; layer < _spec.Layers.Length; layer++)
            if (!batch.WaitForLayer(layer))
                return false;
        _recorder = new Recorder();
        _input.Add(batch, _recorder);
        Compute(batch.Count);
        Answer(batch);
        _device.Run(_recorder);
        return true;
    }

    /// <summary>All layers, for so many rows.</summary>
    void Compute(int n)
    {
        PassMemory m = _memory;
        for (int layer = 0; layer < _spec.Layers.Length; layer++)
        {
            LayerWeights w = _weights.Layers[layer];

            // x += W_o · attention(norm(x)); some normalise what is added, too, or nothing else
            DeviceRange x = Normed(w.AttentionNorm, n);
            Multiply(w.Q, w.QBias, x, m.Queries, n);
            bool ownsCache = w is { K: not null, V: not null };
            if (ownsCache)
            {
                Multiply(w.K!, w.KBias, x, m.Keys, n);
                Multiply(w.V!, w.VBias, x, m.Values, n);
            }
            Normalise(w.QNorm, m.Queries, m.Queries, w.Q.Rows, n);
            Rotate(layer, m.Queries, w.Q.Rows, n);
            if (ownsCache)
            {
                Normalise(w.KNorm, m.Keys, m.Keys, w.K!.Rows, n);
                Rotate(layer, m.Keys, w.K!.Rows, n);
                StoreKv(layer, n);
            }
            Attend(layer, n);
            Multiply(w.AttentionOutput, w.AttentionOutputBias, m.Attended, m.Projected, n);
            AddProjected(w.PostAttentionNorm, n);

            // x += W_down · (activation(W_gate · norm(x)) ⊙ W_up · norm(x))
            x = Normed(w.FeedForwardNorm, n);
            Multiply(w.Gate, w.GateBias, x, m.Gate, n);
            Multiply(w.Up, w.UpBias, x, m.Up, n);
            Gate(layer, w.Gate.Rows, n);
            Multiply(w.Down, w.DownBias, m.Gate, m.Projected, n);
            AddProjected(w.PostFeedForwardNorm, n);
        }
    }

    /// <summary>logits = W_output · norm(x), for the rows that want them; some rows at a time.</summary>
    void Answer(Batch batch)
    {
        PassMemory m = _memory;
        long row = _spec.Width * sizeof(float), answer = _spec.Vocabulary * (long)sizeof(float);
        _answers = batch.LogitRows.Count;
        if (_answers == 0)
            return;
        m.ReserveAnswers(_answers * (row + answer));
        for (int i = 0; i < _answers; i++)
            _recorder.Copy(m.Residual.Part(batch.LogitRows[i] * row, row), m.Projected.Part(i * row, row));
        Normalise(_weights.OutputNorm, m.Projected, m.Normed, _spec.Width, _answers);
        _recorder.Copy(m.Normed.Part(0, _answers * row), m.Answers.All.Part(_answers * answer, _answers * row));
        for (int first = 0; first < _answers; first += m.LogitRows)
        {
            int count = Math.Min(m.LogitRows, _answers - first);
            Multiply(_weights.Output, null, m.Normed, m.Logits, count, first);
            if (_spec.LogitScale is not null || _spec.LogitSoftcap is not null)
                _recorder.Dispatch(PassKernels.FormLogits, Groups(_spec.Vocabulary), count,
                    [(uint)_spec.Vocabulary, Bits(_spec.LogitScale ?? 1), Bits(_spec.LogitSoftcap ?? 0)], m.Logits);
            _recorder.Copy(m.Logits.Part(0, count * answer), m.Answers.All.Part(first * answer, count * answer));
        }
    }

    /// <summary>The residual stream, normalised if the sublayer has a norm before it.</summary>
    DeviceRange Normed(FloatRows? weight, int n)
    {
        Normalise(weight, _memory.Residual, _memory.Normed, _spec.Width, n);
        return weight is null ? _memory.Residual : _memory.Normed;
    }

    /// <summary>Normalises rows so wide, which may hold several vectors each; without a weight nothing.</summary>
    void Normalise(FloatRows? weight, DeviceRange x, DeviceRange y, int width, int n)
    {
        if (weight is not null)
            _recorder.Dispatch(PassKernels.RmsNorm, width / weight.Width, n,
                [(uint)weight.Width, (uint)(width / weight.Width), Bits(_epsilon)], x, _vectors[weight], y);
    }

    /// <summary>y = W · x + bias, of rows of x from one on.</summary>
    void Multiply(PackedMatrix matrix, FloatRows? bias, DeviceRange x, DeviceRange y, int n, int firstRow = 0)
    {
        DeviceMatrix w = _matrices[matrix];
        Kernel kernel = PassKernels.Product(matrix.Type, n);
        int atOnce = (int)kernel.Constants[0];
        foreach (DeviceMatrix.Part part in w.Parts)
            _recorder.Dispatch(kernel, (part.Rows + DeviceMatrix.RowsOfGroup - 1) / DeviceMatrix.RowsOfGroup, (n + atOnce - 1) / atOnce,
                [(uint)w.Columns, (uint)w.WordsPerRow, (uint)w.ScalesPerRow, (uint)w.ScalesAt(part), (uint)n, (uint)part.Rows,
                    (uint)part.First, bias is null ? 0u : 1u, (uint)w.Rows, (uint)firstRow],
                part.Buffer.All, x, bias is null ? x : _vectors[bias], y);
    }

    void Rotate(int layer, DeviceRange heads, int width, int n)
    {
        if (_ropes[layer] is not { } rope)
            return;
        int headDim = _layout.Layers[layer].KeyDim, perRow = width / headDim;
        _recorder.Dispatch(PassKernels.Rope, Groups(perRow * rope.Dims / 2), n,
            [(uint)perRow, (uint)headDim, (uint)rope.Dims, rope.Style == RopeStyle.Adjacent ? 1u : 0u],
            heads, _memory.Rotations[Array.IndexOf(_tables, rope)]);
    }

    /// <summary>Where a layer's keys and values lie: which blocks, and which tables say where.</summary>
    (VulkanArena Arena, KvLayer Shape, int Kind) PlaceOf(int layer) => _layout.Holds(layer)
        ? (_arena, _layout.Layers[layer], 0) : (_windows!, _layout.Windowed!.Layers[layer], 1);

    void StoreKv(int layer, int n)
    {
        (VulkanArena arena, KvLayer shape, int kind) = PlaceOf(layer);
        (int words, int valuesAt) = arena.WordsOf(layer);
        _recorder.Dispatch(PassKernels.StoreKv, Groups(shape.KvHeads * Math.Max(shape.KeyDim, shape.ValueDim) / 2), n,
            [(uint)shape.KvHeads, (uint)shape.KeyDim, (uint)shape.ValueDim, (uint)_layout.BlockTokens, (uint)words, (uint)valuesAt],
            _memory.Keys, _memory.Values, _memory.Places[kind], _memory.Tables[kind], arena.Layer(layer));
    }

    void Attend(int layer, int n)
    {
        (VulkanArena arena, KvLayer shape, int kind) = PlaceOf(layer);
        (int words, int valuesAt) = arena.WordsOf(layer);
        AttentionSpec attention = _spec.Layers[layer].Attention!;
        double scale = attention.Scale ?? 1 / Math.Sqrt(shape.KeyDim);
        uint window = shape.State is LayerState.Window { Tokens: var tokens } ? (uint)tokens : int.MaxValue;
        _recorder.Dispatch(PassKernels.Attention(shape.ValueDim), attention.Heads, n,
            [(uint)attention.Heads, (uint)shape.KvHeads, (uint)shape.KeyDim, (uint)shape.ValueDim, (uint)_layout.BlockTokens,
                (uint)words, (uint)valuesAt, window, Bits((float)scale), Bits(attention.Softcap ?? 0)],
            _memory.Queries, _memory.Places[kind], _memory.Tables[kind], arena.Layer(layer), _memory.Attended);
    }

    /// <summary>Adds a sublayer's result, normalised if it has a norm after it.</summary>
    void AddProjected(FloatRows? weight, int n)
    {
        Normalise(weight, _memory.Projected, _memory.Projected, _spec.Width, n);
        _recorder.Dispatch(PassKernels.Add, Groups(_spec.Width), n, [(uint)_spec.Width, Bits(_spec.ResidualScale ?? 1)],
            _memory.Residual, _memory.Projected);
    }

    void Gate(int layer, int width, int n) => _recorder.Dispatch(PassKernels.Gate, Groups(width), n,
        [(uint)width, _spec.Layers[layer].FeedForward!.Activation == FeedForwardSpec.Gelu ? 1u : 0u], _memory.Gate, _memory.Up);

    static int Groups(int items) => (items + Kernel.Lanes - 1) / Kernel.Lanes;

    static uint Bits(float value) => BitConverter.SingleToUInt32Bits(value);

    public void Dispose()
    {
        _memory.Dispose();
        _vectors.Dispose();
        _ropes.Dispose();
    }
}
