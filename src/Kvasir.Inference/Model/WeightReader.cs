using Kvasir.Inference.Formats;
using Kvasir.Inference.Formats.Quantization;
using Kvasir.Inference.Kernels;

namespace Kvasir.Inference.Model;

/// <summary>
/// Takes a model's tensors from a file and checks each one's shape against the configuration. A tensor that the architecture does not
/// know is an error, because a forward pass that ignores it would answer wrongly without a word.
/// </summary>
sealed unsafe class WeightReader(GgufFile file, ModelConfig config)
{
    readonly HashSet<string> _taken = [];

    public ModelWeights Read()
    {
        Matrix embedding = Matrix("token_embd.weight", config.Vocabulary, config.Width);
        var weights = new ModelWeights
        {
            Embedding = embedding,
            Layers = [.. Enumerable.Range(0, config.Layers).Select(Layer)],
            OutputNorm = Vector("output_norm.weight", config.Width),
            Output = file.TryGetTensor("output.weight", out _) ? Matrix("output.weight", config.Vocabulary, config.Width) : embedding,
            RopeFactors = RopeFactors(),
        };
        RefuseUnknown();
        return weights;
    }

    LayerWeights Layer(int layer)
    {
        string prefix = $"blk.{layer}.";
        int queries = checked(config.Heads * config.HeadDim), keys = checked(config.KvHeads * config.HeadDim);
        return new LayerWeights
        {
            AttentionNorm = Vector(prefix + "attn_norm.weight", config.Width),
            Q = Matrix(prefix + "attn_q.weight", queries, config.Width),
            K = Matrix(prefix + "attn_k.weight", keys, config.Width),
            V = Matrix(prefix + "attn_v.weight", keys, config.Width),
            AttentionOutput = Matrix(prefix + "attn_output.weight", config.Width, queries),
            QBias = Optional(prefix + "attn_q.bias", queries),
            KBias = Optional(prefix + "attn_k.bias", keys),
            VBias = Optional(prefix + "attn_v.bias", keys),
            AttentionOutputBias = Optional(prefix + "attn_output.bias", config.Width),
            QNorm = Optional(prefix + "attn_q_norm.weight", config.HeadDim),
            KNorm = Optional(prefix + "attn_k_norm.weight", config.HeadDim),
            FeedForwardNorm = Vector(prefix + "ffn_norm.weight", config.Width),
            Gate = Matrix(prefix + "ffn_gate.weight", config.FeedForward, config.Width),
            Up = Matrix(prefix + "ffn_up.weight", config.FeedForward, config.Width),
            Down = Matrix(prefix + "ffn_down.weight", config.Width, config.FeedForward),
        };
    }

    Matrix Matrix(string name, int rows, int columns)
    {
        GgufTensor tensor = Take(name);
        return tensor.Shape.Length == 2 && tensor.Rows == rows && tensor.Columns == columns
            ? new Matrix(tensor.Type, rows, columns, file.Pointer(tensor))
            : throw WrongShape(tensor, $"[{columns}, {rows}]");
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
