using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Model;

/// <summary>
/// Takes a model's tensors from where they are stored and checks each one's shape against the description. A tensor of which that knows
/// nothing is an error, because a forward pass that ignores it would answer wrongly without a word.
/// </summary>
sealed class WeightReader(ITensorSource source, ModelSpec spec)
{
    const string Embedding = "token_embd.weight", Output = "output.weight", RopeDivisors = "rope_freqs.weight";

    readonly HashSet<string> _taken = [];
    readonly WeightPacking _packing = new(source);

    /// <summary>Reads all tensors; matrices are packed only once every shape is known to be right.</summary>
    public ModelWeights Read(IProgress<LoadProgress>? progress = null)
    {
        var embedding = new EmbeddingTable(source, TakeMatrix(Embedding, spec.Vocabulary, spec.Width));
        LayerWeights[] layers = [.. Enumerable.Range(0, spec.Layers.Length).Select(Layer)];
        FloatRows outputNorm = Vector("output_norm.weight", spec.Width);
        PackedMatrix output = Matrix(spec.IsTied ? Embedding : Output, spec.Vocabulary, spec.Width);
        float[]? ropeDivisors = Divisors();
        RefuseUnknown();
        return new ModelWeights
        {
            Embedding = embedding,
            Layers = layers,
            OutputNorm = outputNorm,
            Output = output,
            RopeDivisors = ropeDivisors,
            Memory = _packing.Run(progress is null ? null : (done, total) => progress.Report(new LoadProgress(done, total))),
        };
    }

    LayerWeights Layer(int layer)
    {
        string prefix = $"blk.{layer}.";
        AttentionSpec attention = spec.Layers[layer].Attention!;
        LayerWidths widths = LayerWidths.Of(spec.Layers[layer]);
        bool ownsCache = attention.Producer == layer;
        return new LayerWeights
        {
            AttentionNorm = Vector(prefix + "attn_norm.weight", spec.Width),
            Q = Matrix(prefix + "attn_q.weight", widths.Queries, spec.Width),
            K = ownsCache ? Matrix(prefix + "attn_k.weight", widths.Keys, spec.Width) : null,
            V = ownsCache ? Matrix(prefix + "attn_v.weight", widths.Values, spec.Width) : null,
            AttentionOutput = Matrix(prefix + "attn_output.weight", spec.Width, widths.Attended),
            QBias = Optional(prefix + "attn_q.bias", widths.Queries),
            KBias = ownsCache ? Optional(prefix + "attn_k.bias", widths.Keys) : null,
            VBias = ownsCache ? Optional(prefix + "attn_v.bias", widths.Values) : null,
            AttentionOutputBias = Optional(prefix + "attn_output.bias", spec.Width),
            QNorm = attention.HasQkNorm ? Vector(prefix + "attn_q_norm.weight", attention.KeyDim) : null,
            KNorm = attention.HasQkNorm && ownsCache ? Vector(prefix + "attn_k_norm.weight", attention.KeyDim) : null,
            FeedForwardNorm = Vector(prefix + "ffn_norm.weight", spec.Width),
            Gate = Matrix(prefix + "ffn_gate.weight", widths.Network, spec.Width),
            Up = Matrix(prefix + "ffn_up.weight", widths.Network, spec.Width),
            Down = Matrix(prefix + "ffn_down.weight", spec.Width, widths.Network),
        };
    }

    PackedMatrix Matrix(string name, int rows, int columns) => _packing.Add(TakeMatrix(name, rows, columns));

    StoredTensor TakeMatrix(string name, int rows, int columns)
    {
        StoredTensor tensor = Take(name);
        return tensor.Shape.Length == 2 && tensor.Rows == rows && tensor.Columns == columns
            ? tensor
            : throw WrongShape(tensor, $"[{columns}, {rows}]");
    }

    FloatRows? Optional(string name, int width) => source.TryGetTensor(name, out _) ? Vector(name, width) : null;

    FloatRows Vector(string name, int width)
    {
        StoredTensor tensor = Take(name);
        if (tensor.Elements != width || tensor.Rows != 1)
            throw WrongShape(tensor, $"[{width}]");
        var vector = new FloatRows(1, width);
        RowFormat.Dequantize(tensor.Type, source.Row(tensor, 0), vector.Span(0));
        return vector;
    }

    float[]? Divisors()
    {
        float[]? divisors = null;
        IEnumerable<RopeSpec> ropes = spec.Layers.Select(layer => layer.Attention!.Rope).OfType<RopeSpec>();
        foreach (int dims in ropes.Where(rope => rope.HasDivisors).Select(rope => rope.Dims).Distinct())
            divisors = Vector(RopeDivisors, dims / 2).Span(0).ToArray(); // of several widths, all but one are refused
        int wrong = Array.FindIndex(divisors ?? [], divisor => !float.IsFinite(divisor) || divisor <= 0);
        return wrong < 0
            ? divisors
            : throw ModelFormatException.At(source.Path, $"tensor {RopeDivisors}[{wrong}]", $"{divisors![wrong]}", "a positive number");
    }

    StoredTensor Take(string name)
    {
        _taken.Add(name);
        return source.TryGetTensor(name, out StoredTensor? tensor) ? tensor : throw ModelFormatException.At(
            source.Path, $"tensor {Printable.Quote(name)}", $"missing among {source.Tensors.Count} tensors", "one of this name");
    }

    void RefuseUnknown()
    {
        if (source.Tensors.FirstOrDefault(tensor => !_taken.Contains(tensor.Name)) is { } unknown)
            throw ModelFormatException.At(source.Path, $"tensor {Printable.Quote(unknown.Name)}",
                "a tensor of no known use", $"the tensors of a dense {spec.Architecture} model");
    }

    ModelFormatException WrongShape(StoredTensor tensor, string expected) =>
        ModelFormatException.At(source.Path, $"tensor {Printable.Quote(tensor.Name)}", $"shape {tensor.ShapeText}", expected);
}
