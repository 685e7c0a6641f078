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
sealed class WeightReader(ITensorSource source, ModelSpec spec, PieceDigests? digests = null)
{
    const string Embedding = "token_embd.weight", Output = "output.weight", RopeDivisors = "rope_freqs.weight";

    /// <summary>What the description of a rope already holds.</summary>
    static readonly string[] s_ofContext = ["rope_factors_long.weight", "rope_factors_short.weight"];

    readonly HashSet<string> _taken = [];
    readonly WeightPacking _packing = new(source, PieceDigests.PieceBytes, digests is null ? null : digests.Add);

    /// <summary>Reads all tensors; matrices are packed only once every shape is known to be right.</summary>
    /// <param name="progress">Told now and then.</param>
    /// <param name="place">
    /// Brings the matrices to where they are read, and tells now and then how far it is; null for memory of their own.
    /// </param>
    public ModelWeights Read(IProgress<LoadProgress>? progress = null, Func<WeightPacking, Action<long, long>?, IDisposable>? place = null)
    {
        var embedding = new EmbeddingTable(source, TakeMatrix(Embedding, spec.Vocabulary, spec.Width));
        LayerWeights[] layers = [.. Enumerable.Range(0, spec.Layers.Length).Select(Layer)];
        FloatRows outputNorm = Vector("output_norm.weight", spec.Width);
        PackedMatrix output = Matrix(spec.IsTied ? Embedding : Output, spec.Vocabulary, spec.Width);
        float[]? ropeDivisors = Divisors();
        RefuseUnknown();
        Action<long, long>? done = progress is null ? null : (read, total) => progress.Report(new LoadProgress(read, total));
        return new ModelWeights
        {
            Embedding = embedding,
            Layers = layers,
            OutputNorm = outputNorm,
            Output = output,
            RopeDivisors = ropeDivisors,
            Memory = place is null ? _packing.Run(done) : place(_packing, done),
        };
    }

    LayerWeights Layer(int layer)
    {
        string prefix = $"blk.{layer}.";
        AttentionSpec attention = spec.Layers[layer].Attention!;
        LayerWidths widths = LayerWidths.Of(spec.Layers[layer]);
        bool ownsCache = attention.Producer == layer, one = attention.NormsHeadsAsOne;
        Projection[] qkv = Projections(prefix + "attn_qkv", (prefix + "attn_q", widths.Queries),
            (prefix + "attn_k", ownsCache ? widths.Keys : 0), (prefix + "attn_v", ownsCache ? widths.Values : 0));
        Projection[] network = Projections(prefix + "ffn_up", (prefix + "ffn_gate", widths.Network), (prefix + "ffn_up", widths.Network));
        FeedForwardSpec wide = spec.Layers[layer].FeedForward!;
        return new LayerWeights
        {
            AttentionNorm = Norm(layer, NormPlaces.BeforeAttention, "attn_norm.weight"),
            Q = qkv[0].Matrix!,
            K = qkv[1].Matrix,
            V = qkv[2].Matrix,
            AttentionOutput = Matrix(prefix + "attn_output.weight", spec.Width, widths.Attended),
            QBias = qkv[0].Bias,
            KBias = qkv[1].Bias,
            VBias = qkv[2].Bias,
            AttentionOutputBias = Optional(prefix + "attn_output.bias", spec.Width),
            QNorm = attention.HasQkNorm ? Vector(prefix + "attn_q_norm.weight", one ? widths.Queries : attention.KeyDim) : null,
            KNorm = attention.HasQkNorm && ownsCache ? Vector(prefix + "attn_k_norm.weight", one ? widths.Keys : attention.KeyDim) : null,
            PostAttentionNorm = Norm(layer, NormPlaces.AfterAttention, "post_attention_norm.weight"),
            FeedForwardNorm = Norm(layer, NormPlaces.BeforeFeedForward, FeedForwardNorm(layer)),
            Sinks = attention.HasSinks ? Sinks(prefix + "attn_sinks.weight", attention.Heads) : null,
            Gate = network[0].Matrix,
            Up = network[1].Matrix,
            Down = wide.Experts > 0 ? null : Matrix(prefix + "ffn_down.weight", spec.Width, widths.Network),
            GateBias = network[0].Bias,
            UpBias = network[1].Bias,
            DownBias = wide.Experts > 0 ? null : Optional(prefix + "ffn_down.bias", spec.Width),
            Experts = wide.Experts > 0 ? Experts(prefix, wide) : null,
            PostFeedForwardNorm = Norm(layer, NormPlaces.AfterFeedForward, "post_ffw_norm.weight"),
        };
    }

    ExpertNetwork Experts(string prefix, FeedForwardSpec network)
    {
        (int count, int width) = (network.Experts, network.Width);
        return new ExpertNetwork
        {
            Router = Matrix(prefix + "ffn_gate_inp.weight", count, spec.Width),
            RouterBias = Optional(prefix + "ffn_gate_inp.bias", count),
            Gate = Stack(prefix + "ffn_gate_exps.weight", width, spec.Width, count),
            Up = Stack(prefix + "ffn_up_exps.weight", width, spec.Width, count),
            Down = Stack(prefix + "ffn_down_exps.weight", spec.Width, width, count),
            GateBias = Biases(prefix + "ffn_gate_exps.bias", width, count),
            UpBias = Biases(prefix + "ffn_up_exps.bias", width, count),
            DownBias = Biases(prefix + "ffn_down_exps.bias", spec.Width, count),
            Chosen = network.Chosen,
            WeighsAmongAll = network.WeighsAmongAll,
            Limit = network.Limit,
        };
    }

    /// <summary>The matrices of all experts.</summary>
    PackedMatrix Stack(string name, int rows, int columns, int experts)
    {
        StoredTensor tensor = Take(name);
        return tensor.Shape is [long width, long height, long depth] && width == columns && height == rows && depth == experts
            ? _packing.Add(tensor, experts)
            : throw WrongShape(tensor, $"[{columns}, {rows}, {experts}]: as many matrices as expert_count says");
    }

    /// <summary>The biases of all experts, if there are any.</summary>
    FloatRows? Biases(string name, int width, int experts)
    {
        if (!source.TryGetTensor(name, out _))
            return null;
        StoredTensor tensor = Take(name);
        if (tensor.Shape.Length != 2 || tensor.Columns != width || tensor.Rows != experts)
            throw WrongShape(tensor, $"[{width}, {experts}]");
        var biases = new FloatRows(experts, width);
        for (int expert = 0; expert < experts; expert++)
            RowFormat.Dequantize(tensor.Type, source.ReadRow(tensor, expert), biases.Span(expert));
        return biases;
    }

    FloatRows Sinks(string name, int heads)
    {
        FloatRows sinks = Vector(name, heads);
        foreach (ref float sink in sinks.Span(0))
            sink = (float)(sink * ScoreForm.PowersOf2);
        return sinks;
    }

    /// <summary>The norm before the network; gpt-oss calls it after what it follows.</summary>
    string FeedForwardNorm(int layer) => spec.Layers[layer].Norms.HasFlag(NormPlaces.AfterAttention)
        || source.TryGetTensor($"blk.{layer}.ffn_norm.weight", out _)
        || !source.TryGetTensor($"blk.{layer}.post_attention_norm.weight", out _)
        ? "ffn_norm.weight" : "post_attention_norm.weight";

    FloatRows? Norm(int layer, NormPlaces place, string name) =>
        spec.Layers[layer].Norms.HasFlag(place) ? Vector($"blk.{layer}.{name}", spec.Width) : null;

    /// <summary>
    /// Matrices that read the same input, with their biases: each under its name, or all of them one after the other under another
    /// (Phi-3). Those of no rows are none.
    /// </summary>
    Projection[] Projections(string together, params (string Name, int Rows)[] parts)
    {
        if (!source.TryGetTensor(together + ".weight", out _) || source.TryGetTensor(parts[0].Name + ".weight", out _))
            return [.. parts.Select(part => part.Rows == 0
                ? default
                : new Projection(Matrix(part.Name + ".weight", part.Rows, spec.Width), Optional(part.Name + ".bias", part.Rows)))];
        int all = parts.Sum(part => part.Rows), first = 0;
        StoredTensor tensor = TakeMatrix(together + ".weight", all, spec.Width);
        FloatRows? bias = Optional(together + ".bias", all);
        var projections = new Projection[parts.Length];
        for (int i = 0; i < parts.Length; first += parts[i++].Rows)
            projections[i] = new Projection(_packing.Add(tensor.RowsFrom(first, parts[i].Rows)), Part(bias, first, parts[i].Rows));
        return projections;
    }

    readonly record struct Projection(PackedMatrix? Matrix, FloatRows? Bias);

    static FloatRows? Part(FloatRows? vector, int first, int count)
    {
        if (vector is null)
            return null;
        var part = new FloatRows(1, count);
        vector.Span(0).Slice(first, count).CopyTo(part.Span(0));
        return part;
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
        RowFormat.Dequantize(tensor.Type, source.ReadRow(tensor, 0), vector.Span(0));
        return vector;
    }

    float[]? Divisors()
    {
        float[]? divisors = null;
        IEnumerable<RopeSpec> ropes = spec.Layers.Select(layer => layer.Attention!.Rope).OfType<RopeSpec>();
        foreach (int dims in ropes.Where(rope => rope.HasDivisors).Select(rope => rope.Dims).Distinct())
            divisors = Vector(RopeDivisors, dims / 2).Span(0).ToArray(); // of several widths, all but one are refused
        if (ropes.Any(rope => rope.Scaling is { DependsOnContext: true }))
            _taken.UnionWith(s_ofContext);
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
