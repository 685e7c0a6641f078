using System.Collections.Immutable;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Inference.Kernels;

namespace Kvasir.Inference.Model;

/// <summary>Reads a <see cref="ModelConfig"/> from a file that is not trusted.</summary>
sealed class ModelConfigReader(GgufFile file)
{
    static readonly Dictionary<string, RopeStyle> Architectures = new()
    {
        ["llama"] = RopeStyle.Adjacent,
        ["qwen2"] = RopeStyle.Halves,
        ["qwen3"] = RopeStyle.Halves,
    };

    readonly GgufMetadata _metadata = file.Metadata;
    readonly string _architecture = file.Metadata.GetString("general.architecture");

    public ModelConfig Read()
    {
        if (!Architectures.TryGetValue(_architecture, out RopeStyle style))
            throw _metadata.Invalid("general.architecture", Printable.Quote(_architecture), $"one of {string.Join(", ", Architectures.Keys)}");
        if (_metadata.GetInt32("split.count", 1) is not (0 or 1) and int parts)
            throw _metadata.Invalid("split.count", $"{parts}", "one file that holds the whole model");
        Refuse("expert_count", "a dense model (mixtures of experts are not supported)");
        int width = Count("embedding_length"), heads = Count("attention.head_count");
        int kvHeads = Count("attention.head_count_kv", heads);
        if (heads % kvHeads != 0)
            throw Invalid("attention.head_count_kv", kvHeads, $"a divisor of the {heads} query heads");
        int headDim = HeadDim(width, heads), layers = Count("block_count", most: file.Tensors.Count); // a layer has tensors, so no honest file has more layers than those
        ImmutableArray<int?> windows = Windows(layers);
        return new ModelConfig
        {
            Architecture = _architecture,
            Name = _metadata.GetString("general.name", _architecture),
            Layers = layers,
            Width = width,
            FeedForward = Count("feed_forward_length"),
            Heads = heads,
            KvHeads = kvHeads,
            HeadDim = headDim,
            Context = Count("context_length", most: int.MaxValue),
            Vocabulary = Vocabulary(),
            NormEpsilon = Number("attention.layer_norm_rms_epsilon", fallback: null),
            RopeBase = Number("rope.freq_base", fallback: 10_000),
            RopeDims = RopeDims(headDim),
            RopeStyle = style,
            RopeScale = RopeScale(),
            Windows = windows,
            Producers = SharedLayers.Producers(_metadata, Key("attention.kv_producers"), windows),
        };
    }

    string Key(string name) => $"{_architecture}.{name}";

    ModelFormatException Invalid(string name, object seen, string expected) => _metadata.Invalid(Key(name), $"{seen}", expected);

    void Refuse(string name, string expected)
    {
        if (_metadata.GetInt32(Key(name), 0) is not 0 and int seen)
            throw Invalid(name, seen, expected);
    }

    // Widths beyond 2^20 exist in no model; the bound keeps every product of two of them far from overflow.
    int Count(string name, int? fallback = null, int most = 1 << 20)
    {
        int value = fallback is { } given ? _metadata.GetInt32(Key(name), given) : _metadata.GetInt32(Key(name));
        return value >= 1 && value <= most ? value : throw Invalid(name, value, $"1 to {most}");
    }

    float Number(string name, float? fallback)
    {
        float value = fallback is { } given ? _metadata.GetSingle(Key(name), given) : _metadata.GetSingle(Key(name));
        return float.IsFinite(value) && value > 0 ? value : throw Invalid(name, value, "a positive number");
    }

    int HeadDim(int width, int heads)
    {
        int headDim = Count("attention.key_length", Math.Max(1, width / heads));
        int valueDim = Count("attention.value_length", headDim);
        if (valueDim != headDim)
            throw Invalid("attention.value_length", valueDim, $"the key length, {headDim}");
        return headDim;
    }

    int RopeDims(int headDim)
    {
        int dims = Count("rope.dimension_count", headDim);
        return dims <= headDim && dims % 2 == 0 ? dims : throw Invalid("rope.dimension_count", dims, $"an even number up to the head's {headDim}");
    }

    float RopeScale()
    {
        string type = _metadata.GetString(Key("rope.scaling.type"), "none");
        return type switch
        {
            "none" => 1,
            "linear" => Number("rope.scaling.factor", fallback: 1),
            _ => throw Invalid("rope.scaling.type", Printable.Quote(type), "none, linear, or Llama 3's factors as tensor rope_freqs.weight"),
        };
    }

    // Without a pattern, every layer has the window: Mistral.
    ImmutableArray<int?> Windows(int layers)
    {
        const string Pattern = "attention.sliding_window_pattern";
        int window = _metadata.GetInt32(Key("attention.sliding_window"), 0);
        if (window < 0)
            throw Invalid("attention.sliding_window", window, "0 or more");
        if (!_metadata.Contains(Key(Pattern)) || window == 0)
            return [.. Enumerable.Repeat(window == 0 ? (int?)null : window, layers)];
        return _metadata[Key(Pattern)] is ImmutableArray<bool> slides && slides.Length == layers
            ? [.. slides.Select(each => each ? window : (int?)null)]
            : throw Invalid(Pattern, "something else", $"{layers} bools, one for each layer");
    }

    int Vocabulary()
    {
        GgufTensor embedding = file.GetTensor("token_embd.weight");
        return embedding.Rows is >= 1 and <= 1 << 24
            ? (int)embedding.Rows
            : throw ModelFormatException.At(file.Path, "tensor token_embd.weight", $"{embedding.Rows} rows", "1 to 16777216");
    }
}
