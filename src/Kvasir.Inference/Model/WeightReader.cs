using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Model;

/// <summary>
/// Takes a model's tensors from a file and checks each one's shape against the configuration. A tensor that the architecture does not
/// know is an error, because a forward pass that ignores it would answer wrongly without a word.
/// </summary>
sealed class WeightReader(GgufFile file, ModelConfig config)
{
    const string Embedding = "token_embd.weight", Output = "output.weight";

    readonly HashSet<string> _taken = [];
    readonly WeightPacking _packing = new(file);

    /// <summary>Reads all tensors; matrices are packed only once every shape is known to be right.</summary>
    public ModelWeights Read(IProgress<LoadProgress>? progress = null)
    {
        var embedding = new EmbeddingTable(file, TakeMatrix(Embedding, config.Vocabulary, config.Width));
        LayerWeights[] layers = [.. Enumerable.Range(0, config.Layers).Select(Layer)];
        FloatRows outputNorm = Vector("output_norm.weight", config.Width);
        PackedMatrix output = Matrix(file.TryGetTensor(Output, out _) ? Output : Embedding, config.Vocabulary, config.Width);
        float[] ropeFactors = RopeFactors();
        RefuseUnknown();
        return new ModelWeights
        {
            Embedding = embedding,
            Layers = layers,
            OutputNorm = outputNorm,
            Output = output,
            RopeFactors = ropeFactors,
            Memory = _packing.Run(progress),
        };
    }

    LayerWeights Layer(int layer)
    {
        string prefix = $"blk.{layer}.";
        bool ownsCache = config.Producers[layer] == layer;
        int queries = checked(config.Heads * config.HeadDim), keys = checked(config.KvHeads * config.HeadDim);
        return new LayerWeights
        {
            AttentionNorm = Vector(prefix + "attn_norm.weight", config.Width),
            Q = Matrix(prefix + "attn_q.weight", queries, config.Width),
            K = ownsCache ? Matrix(prefix + "attn_k.weight", keys, config.Width) : null,
            V = ownsCache ? Matrix(prefix + "attn_v.weight", keys, config.Width) : null,
            AttentionOutput = Matrix(prefix + "attn_output.weight", config.Width, queries),
            QBias = Optional(prefix + "attn_q.bias", queries),
            KBias = !ownsCache ? null : Optional(prefix + "attn_k.bias", keys),
            VBias = !ownsCache ? null : Optional(prefix + "attn_v.bias", keys),
            AttentionOutputBias = Optional(prefix + "attn_output.bias", config.Width),
            QNorm = Optional(prefix + "attn_q_norm.weight", config.HeadDim),
            KNorm = !ownsCache ? null : Optional(prefix + "attn_k_norm.weight", config.HeadDim),
            FeedForwardNorm = Vector(prefix + "ffn_norm.weight", config.Width),
            Gate = Matrix(prefix + "ffn_gate.weight", config.FeedForward, config.Width),
            Up = Matrix(prefix + "ffn_up.weight", config.FeedForward, config.Width),
            Down = Matrix(prefix + "ffn_down.weight", config.Width, config.FeedForward),
        };
    }

    PackedMatrix Matrix(string name, int rows, int columns) => _packing.Add(TakeMatrix(name, rows, columns));

    GgufTensor TakeMatrix(string name, int rows, int columns)
    {
        GgufTensor tensor = Take(name);
        return tensor.Shape.Length == 2 && tensor.Rows == rows && tensor.Columns == columns ? tensor : throw WrongShape(tensor, $"[{columns}, {rows}]");
    }

    FloatRows? Optional(string name, int width) => file.TryGetTensor(name, out _) ? Vector(name, width) : null;

    FloatRows Vector(string name, int width)
    {
        GgufTensor tensor = Take(name);
        if (tensor.Elements != width || tensor.Rows != 1)
            throw WrongShape(tensor, $"[{width}]");
        var vector = new FloatRows(1, width);
        RowFormat.Dequantize(tensor.Type, file.Row(tensor, 0), vector.Span(0));
        return vector;
    }

    float[] RopeFactors()
    {
        float[] factors = new float[config.RopeDims / 2];
        Array.Fill(factors, config.RopeScale);
        if (Optional("rope_freqs.weight", factors.Length) is { } given)
            for (int i = 0; i < factors.Length; i++)
                factors[i] *= given.Span(0)[i] is var factor && float.IsFinite(factor) && factor > 0
                    ? factor
                    : throw ModelFormatException.At(file.Path, $"tensor rope_freqs.weight[{i}]", $"{factor}", "a positive number");
        return factors;
    }

    GgufTensor Take(string name)
    {
        _taken.Add(name);
        return file.GetTensor(name);
    }

    void RefuseUnknown()
    {
        if (file.Tensors.FirstOrDefault(tensor => !_taken.Contains(tensor.Name)) is { } unknown)
            throw ModelFormatException.At(file.Path, $"tensor {Printable.Quote(unknown.Name)}", "a tensor of no known use", $"the tensors of a dense {config.Architecture} model");
    }

    ModelFormatException WrongShape(GgufTensor tensor, string expected) =>
        ModelFormatException.At(file.Path, $"tensor {Printable.Quote(tensor.Name)}", $"shape {tensor.ShapeText}", expected);
}
