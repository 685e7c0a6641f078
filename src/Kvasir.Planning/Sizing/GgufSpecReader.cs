using System.Collections.Immutable;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Quantization;

namespace Kvasir.Planning.Sizing;

/// <summary>Reads a <see cref="ModelSpec"/> from a GGUF file, which is not trusted. The keys are those of <see href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md"/>.</summary>
sealed class GgufSpecReader
{
    const int MostLayers = 4096, MostHeads = 1 << 16, MostWidth = 1 << 20, MostTokens = 1 << 30;

    /// <summary>Known architectures, and of each every how many layers one attends to everything where there is a window; 0 where all slide.</summary>
    static readonly ImmutableSortedDictionary<string, int> s_patterns = new Dictionary<string, int>
    {
        ["llama"] = 0, ["qwen2"] = 0, ["qwen3"] = 0, ["qwen3moe"] = 0, ["gemma"] = 0, ["gemma2"] = 2, ["gemma3"] = 6, ["gemma3n"] = 5, ["gpt-oss"] = 2,
        ["deepseek2"] = 0, ["command-r"] = 0, ["cohere2"] = 4, ["phi3"] = 0, ["falcon"] = 0,
    }.ToImmutableSortedDictionary(StringComparer.Ordinal);

    readonly GgufFile _file;
    readonly GgufMetadata _metadata;
    readonly string _architecture;
    readonly bool _isAssumed;

    GgufSpecReader(GgufFile file, bool assumeLlama)
    {
        (_file, _metadata, _architecture) = (file, file.Metadata, file.Metadata.GetString("general.architecture"));
        _isAssumed = !s_patterns.ContainsKey(_architecture);
        if (_isAssumed && !assumeLlama)
            throw _metadata.Invalid("general.architecture", Printable.Quote(_architecture),
                $"one of {string.Join(", ", s_patterns.Keys)}; --assume-llama reads it as if every layer kept a key and a value per KV head");
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="ModelFormatException">It is no GGUF file, contradicts itself, or is of an unknown architecture.</exception>
    public static ModelSpec ReadFile(string path, bool assumeLlama)
    {
        using GgufFile file = GgufFile.Open(path);
        return new GgufSpecReader(file, assumeLlama).Read();
    }

    ModelSpec Read()
    {
        bool isWhole = _metadata.GetInt32("split.count", 1) is 0 or 1;
        return new ModelSpec
        {
            Name = _metadata.GetString("general.name", Path.GetFileNameWithoutExtension(_file.Path)),
            Source = _file.Path,
            Architecture = _architecture,
            Context = Count("context_length", MostTokens),
            Width = Count("embedding_length", MostWidth),
            Vocabulary = Vocabulary(),
            Layers = Layers(),
            Parameters = isWhole ? _file.Tensors.Sum(tensor => tensor.Elements) : null,
            ActiveParameters = isWhole && !_isAssumed ? _file.Tensors.Sum(Active) : null,
            Experts = isWhole && !_isAssumed ? Experts() : null,
            WeightBytes = isWhole ? _file.Tensors.Sum(tensor => tensor.ByteLength) : null,
            Notes = [.. Notes(isWhole)],
        };
    }

    IEnumerable<string> Notes(bool isWhole)
    {
        if (_isAssumed)
            yield return $"the architecture {Printable.Quote(_architecture)} is unknown: read as if it kept what Llama keeps";
        else if (isWhole && _metadata.GetInt32(Key("expert_count"), 0) is > 0 and int experts && !_file.Tensors.Any(IsOfExperts))
            yield return $"{experts} experts, but no tensor ..._exps of them: a token is taken to read all weights";
    }

    /// <summary>Elements of a tensor that one token is multiplied with.</summary>
    long Active(GgufTensor tensor)
    {
        if (tensor.Shape.Length < 2 || tensor.Name == "per_layer_token_embd.weight" || (tensor.Name == "token_embd.weight" && _file.TryGetTensor("output.weight", out _)))
            return 0;
        return tensor.Elements - (IsOfExperts(tensor) ? new ExpertSpec(Routing(), tensor.Elements).Idle : 0);
    }

    /// <summary>A tensor of all experts of a layer from which tokens choose. Those of shared experts are named otherwise (<c>_shexp</c>).</summary>
    static bool IsOfExperts(GgufTensor tensor) => tensor.Shape.Length >= 2 && tensor.Name.Contains("_exps.", StringComparison.Ordinal);

    ExpertSpec? Experts() => _file.Tensors.Where(IsOfExperts).Sum(tensor => tensor.Elements) is > 0 and long elements ? new ExpertSpec(Routing(), elements) : null;

    ExpertRouting Routing()
    {
        int experts = Count("expert_count", MostHeads), used = Count("expert_used_count", MostHeads);
        return used <= experts ? new ExpertRouting(used, experts) : throw Invalid("expert_used_count", $"{used}", $"at most the {experts} experts");
    }

    ImmutableArray<AttentionSpec> Layers()
    {
        int count = Count("block_count", MostLayers);
        ImmutableArray<int> heads = PerLayer("attention.head_count", count), kvHeads = _metadata.Contains(Key("attention.head_count_kv")) ? PerLayer("attention.head_count_kv", count) : heads;
        int shared = _architecture == "gemma3n" ? Count("attention.shared_kv_layers", count - 1, least: 0) : _metadata.GetInt32(Key("attention.shared_kv_layers"), 0);
        if (shared < 0 || shared >= count)
            throw Invalid("attention.shared_kv_layers", $"{shared}", $"fewer than the {count} layers");
        ImmutableArray<AttentionSpec> layers = LayerSharing.Lay(new AttentionSpec(1, 1, 1, 1, null, 0), Windows(count), shared,
            (layer, reason) => Invalid("attention.shared_kv_layers", $"{shared}, so that layer {layer} {reason}", "a layer of its kind before the shared ones"));
        ImmutableArray<int> producers = _architecture == "llama" ? SharedLayers.Producers(_metadata, Key("attention.kv_producers"), [.. layers.Select(layer => layer.Window)]) : [.. layers.Select(layer => layer.Producer)];
        return [.. layers.Select((layer, i) => Shape(heads[i], kvHeads[i]) with { Window = layer.Window, Producer = producers[i] })];
    }

    AttentionSpec Shape(int heads, int kvHeads)
    {
        if (_metadata.Contains(Key("attention.kv_lora_rank")))
            return new AttentionSpec(heads, 1, Count("attention.kv_lora_rank", MostWidth) + Count("rope.dimension_count", MostWidth), 0, null, 0);
        if (heads % kvHeads != 0)
            throw Invalid("attention.head_count_kv", $"{kvHeads}", $"a divisor of the {heads} query heads");
        int key = Dimension("attention.key_length", heads);
        return new AttentionSpec(heads, kvHeads, key, _metadata.Contains(Key("attention.value_length")) ? Count("attention.value_length", MostWidth) : key, null, 0);
    }

    int Dimension(string name, int heads)
    {
        if (_metadata.Contains(Key(name)))
            return Count(name, MostWidth);
        int width = Count("embedding_length", MostWidth);
        return width % heads == 0 ? width / heads : throw Invalid("attention.head_count", $"{heads}", $"a divisor of embedding_length {width}, since there is no {name}");
    }

    ImmutableArray<int?> Windows(int layers)
    {
        int window = _metadata.GetInt32(Key("attention.sliding_window"), 0);
        if (window is < 0 or > MostTokens)
            throw Invalid("attention.sliding_window", $"{window}", $"0 to {MostTokens}");
        if (window == 0)
            return [.. Enumerable.Repeat<int?>(null, layers)];
        if (_isAssumed)
            throw Invalid("attention.sliding_window", $"{window}", "no window: which layers of an unknown architecture slide is not known");
        Func<int, bool> slides = SlidingLayers(layers);
        return [.. Enumerable.Range(0, layers).Select(layer => slides(layer) ? window : (int?)null)];
    }

    /// <summary>From the file, as one bool per layer or as a period, or else from the architecture.</summary>
    Func<int, bool> SlidingLayers(int layers)
    {
        const string Name = "attention.sliding_window_pattern";
        if (_metadata.Contains(Key(Name)) && _metadata[Key(Name)] is ImmutableArray<bool> listed)
            return listed.Length == layers ? layer => listed[layer] : throw Invalid(Name, $"{listed.Length} layers", $"the {layers} of block_count");
        int every = _metadata.Contains(Key(Name)) ? Count(Name, MostLayers, least: 0) : s_patterns[_architecture];
        return layer => every == 0 || (layer + 1) % every != 0;
    }

    /// <summary>A number for each layer, which the file gives once for all or as an array.</summary>
    ImmutableArray<int> PerLayer(string name, int layers)
    {
        if (!_metadata.Contains(Key(name)) || !_metadata.TypeName(Key(name)).StartsWith("array", StringComparison.Ordinal))
            return [.. Enumerable.Repeat(Count(name, MostHeads), layers)];
        ImmutableArray<int> values = _metadata.GetInt32s(Key(name));
        if (values.Length != layers)
            throw Invalid(name, $"{values.Length} values", $"one for each of the {layers} layers");
        int wrong = values.AsSpan().IndexOfAnyExceptInRange(1, MostHeads);
        return wrong < 0 ? values : throw Invalid(name, $"{values[wrong]} at layer {wrong}", $"1 to {MostHeads}");
    }

    int Vocabulary()
    {
        if (!_file.TryGetTensor("token_embd.weight", out GgufTensor? embedding))
            return Count("vocab_size", 1 << 24);
        return embedding.Rows is >= 1 and <= 1 << 24
            ? (int)embedding.Rows
            : throw ModelFormatException.At(_file.Path, "tensor token_embd.weight", $"{embedding.Rows} rows", $"1 to {1 << 24}");
    }

    int Count(string name, int most, int least = 1) =>
        _metadata.GetInt32(Key(name)) is var value && value >= least && value <= most ? value : throw Invalid(name, $"{value}", $"{least} to {most}");

    string Key(string name) => $"{_architecture}.{name}";

    ModelFormatException Invalid(string name, string seen, string expected) => _metadata.Invalid(Key(name), seen, expected);
}
