using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Kvasir.Formats;
using Kvasir.Formats.Models;

namespace Kvasir.Tests.Fixtures;

/// <summary>
/// The tensors of any model that a description can say, random and in memory: layers that no file of a known architecture has.
/// </summary>
sealed class RandomTensors : ITensorSource
{
    readonly Dictionary<string, (StoredTensor Tensor, float[] Values)> _tensors = [];
    readonly Random _random;

    public RandomTensors(ModelSpec spec, int seed = 1)
    {
        _random = new Random(seed);
        Matrix("token_embd.weight", spec.Width, spec.Vocabulary);
        foreach ((int layer, LayerSpec each) in spec.Layers.Index())
            AddLayer($"blk.{layer}.", spec.Width, each.Attention!, each.Attention!.Producer == layer, each.FeedForward!);
        Vector("output_norm.weight", spec.Width);
        if (!spec.IsTied)
            Matrix("output.weight", spec.Width, spec.Vocabulary);
    }

    public string Path => "random tensors";

    public IReadOnlyList<StoredTensor> Tensors => [.. _tensors.Values.Select(each => each.Tensor)];

    public bool TryGetTensor(string name, [NotNullWhen(true)] out StoredTensor? tensor) =>
        (tensor = _tensors.TryGetValue(name, out (StoredTensor Tensor, float[]) found) ? found.Tensor : null) is not null;

    public ReadOnlySpan<byte> Row(StoredTensor tensor, long row) => Bytes(tensor).Slice((int)row * tensor.RowBytes, tensor.RowBytes);

    public void Read(StoredTensor tensor, long firstRow, Span<byte> rows) =>
        Bytes(tensor).Slice((int)firstRow * tensor.RowBytes, rows.Length).CopyTo(rows);

    Span<byte> Bytes(StoredTensor tensor) => MemoryMarshal.AsBytes(_tensors[tensor.Name].Values.AsSpan());

    void AddLayer(string prefix, int width, AttentionSpec attention, bool ownsCache, FeedForwardSpec network)
    {
        Vector(prefix + "attn_norm.weight", width);
        Matrix(prefix + "attn_q.weight", width, attention.Heads * attention.KeyDim);
        if (attention.HasQkNorm)
            Vector(prefix + "attn_q_norm.weight", attention.KeyDim);
        if (ownsCache)
        {
            Matrix(prefix + "attn_k.weight", width, attention.KvHeads * attention.KeyDim);
            Matrix(prefix + "attn_v.weight", width, attention.KvHeads * attention.ValueDim);
        }
        if (ownsCache && attention.HasQkNorm)
            Vector(prefix + "attn_k_norm.weight", attention.KeyDim);
        Matrix(prefix + "attn_output.weight", attention.Heads * attention.ValueDim, width);
        Vector(prefix + "ffn_norm.weight", width);
        int experts = network.Experts;
        if (experts > 0)
            Matrix(prefix + "ffn_gate_inp.weight", width, experts);
        Matrix(prefix + (experts > 0 ? "ffn_gate_exps.weight" : "ffn_gate.weight"), width, network.Width, experts);
        Matrix(prefix + (experts > 0 ? "ffn_up_exps.weight" : "ffn_up.weight"), width, network.Width, experts);
        Matrix(prefix + (experts > 0 ? "ffn_down_exps.weight" : "ffn_down.weight"), network.Width, width, experts);
    }

    void Matrix(string name, int columns, int rows, int experts = 0) =>
        Add(name, experts > 0 ? [columns, rows, experts] : [columns, rows], around: 0, deviation: 1 / MathF.Sqrt(columns));

    void Vector(string name, int width) => Add(name, [width], around: 1, deviation: 0.1f);

    void Add(string name, long[] shape, float around, float deviation)
    {
        float[] values = new float[shape.Aggregate(1L, (product, each) => product * each)];
        foreach (ref float value in values.AsSpan())
            value = around + deviation * (2 * _random.NextSingle() - 1) * MathF.Sqrt(3);
        _tensors[name] = (new StoredTensor(name, TensorType.F32, [.. shape], 0, values.Length * (long)sizeof(float)), values);
    }
}
