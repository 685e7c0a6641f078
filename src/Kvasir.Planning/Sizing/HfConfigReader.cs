using System.Collections.Immutable;
using System.Text.Json;
using Kvasir.Formats;

namespace Kvasir.Planning.Sizing;

/// <summary>Reads a <see cref="ModelSpec"/> from a Hugging Face <c>config.json</c>, which is not trusted.</summary>
sealed class HfConfigReader
{
    const int MostFileBytes = 16 << 20, MostLayers = 4096, MostHeads = 1 << 16, MostVocabulary = 1 << 24, MostTokens = 1 << 30;

    readonly string _type;
    readonly HfFamily _family;
    readonly ConfigFields _fields;
    readonly bool _isAssumed;

    /// <param name="path">The file, for messages.</param>
    /// <param name="config">Its content.</param>
    /// <param name="assumeLlama">Read an unknown architecture as if it kept what Llama keeps.</param>
    HfConfigReader(string path, JsonElement config, bool assumeLlama)
    {
        if (config.ValueKind != JsonValueKind.Object)
            throw ModelFormatException.At(path, "file", $"a JSON {config.ValueKind}", "an object");
        bool isNested = config.TryGetProperty("text_config", out JsonElement text) && text.ValueKind == JsonValueKind.Object;
        string outer = TypeOf(path, config);
        _type = isNested && text.TryGetProperty("model_type", out _) ? TypeOf(path, text) : isNested ? outer + "_text" : outer;
        HfFamily? known = HfFamily.Find(_type);
        _isAssumed = known is null && assumeLlama;
        _family = known ?? (assumeLlama ? HfFamily.Find("llama")! with { IsCounted = false } : throw Unknown(path, isNested));
        _fields = new ConfigFields(path, isNested ? "text_config." : "", isNested ? text : config, _family.Defaults);
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="ModelFormatException">It cannot be read, is no such configuration, contradicts itself, or is of an unknown architecture.</exception>
    public static ModelSpec ReadFile(string path, bool assumeLlama)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            if (file.Length > MostFileBytes)
                throw ModelFormatException.At(path, "file", $"{file.Length} bytes", $"a configuration of at most {MostFileBytes}");
            using JsonDocument document = JsonDocument.Parse(file, new JsonDocumentOptions { AllowDuplicateProperties = false });
            string name = document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("_name_or_path", out JsonElement given)
                && given.ValueKind == JsonValueKind.String && given.GetString() is { Length: > 0 } text ? text : FolderName(path);
            return Read(name, path, path, document.RootElement, assumeLlama);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new ModelFormatException($"{Printable.Line(path, 4096)}: {(e is JsonException ? "no valid JSON" : "cannot be read")}: {Printable.Line(e.Message, 512)}", e);
        }
    }

    /// <summary>Reads a configuration that is parsed already.</summary>
    public static ModelSpec Read(string name, string path, string source, JsonElement config, bool assumeLlama = false) =>
        new HfConfigReader(path, config, assumeLlama).Read(name, source);

    ModelSpec Read(string name, string source)
    {
        int width = _fields.Count("hidden_size"), vocabulary = _fields.Count("vocab_size", MostVocabulary);
        ImmutableArray<AttentionSpec> layers = Layers(width);
        (long All, long Active, ExpertSpec? Experts)? parameters = _family.IsCounted ? new HfParameters(_fields, _family, width, vocabulary, layers).Count() : null;
        return new ModelSpec
        {
            Name = name,
            Source = source,
            Architecture = _type,
            Context = Context(),
            Width = width,
            Vocabulary = vocabulary,
            Layers = layers,
            Parameters = parameters?.All,
            ActiveParameters = parameters?.Active,
            Experts = parameters?.Experts,
            Notes = [.. Notes()],
        };
    }

    IEnumerable<string> Notes()
    {
        if (_isAssumed)
            yield return $"the architecture {Printable.Quote(_type)} is unknown: read as if it kept what Llama keeps";
        if (_fields.Defaulted.Any())
            yield return $"not in the file, but the architecture's defaults: {string.Join(", ", _fields.Defaulted)}";
    }

    // Command-R states the context that it was trained for beside the one that its first version was served with.
    int Context() => _type == "cohere" && _fields.Has("model_max_length")
        ? _fields.Count("model_max_length", MostTokens)
        : _fields.Count("max_position_embeddings", MostTokens);

    ImmutableArray<AttentionSpec> Layers(int width)
    {
        int count = _fields.Count("num_hidden_layers", MostLayers);
        AttentionSpec shape = _family.IsLatent ? Latent() : Heads(width);
        RefuseForeignFields();
        ImmutableArray<int?> windows = Windows(count);
        int shared = _fields.Optional("num_kv_shared_layers", count - 1, least: 0) ?? 0;
        return LayerSharing.Lay(shape, windows, shared, (layer, reason) => _fields.Invalid("num_kv_shared_layers", $"{shared}, so that layer {layer} {reason}", "a layer of its kind before the shared ones"));
    }

    AttentionSpec Heads(int width)
    {
        int heads = _fields.Count("num_attention_heads", MostHeads), kvHeads = KvHeads(heads);
        if (heads % kvHeads != 0)
            throw _fields.Invalid("num_key_value_heads", $"{kvHeads}", $"a divisor of the {heads} query heads");
        int dim = _fields.Optional("head_dim") ?? (width % heads == 0
            ? width / heads
            : throw _fields.Invalid("num_attention_heads", $"{heads}", $"a divisor of hidden_size {width}, since there is no head_dim"));
        return new AttentionSpec(heads, kvHeads, dim, dim, null, 0);
    }

    int KvHeads(int heads)
    {
        if (_family.IsFalcon && !_fields.Flag("new_decoder_architecture"))
            return _fields.Flag("multi_query", true) ? 1 : heads;
        string name = _family.IsFalcon ? "num_kv_heads" : "num_key_value_heads";
        return _family.KvHeadsMayBeMissing && !_fields.Has(name) ? heads : _fields.Count(name, MostHeads);
    }

    AttentionSpec Latent() =>
        new(_fields.Count("num_attention_heads", MostHeads), 1, _fields.Count("kv_lora_rank") + _fields.Count("qk_rope_head_dim"), 0, null, 0);

    /// <summary>A field that changes what is kept, in a configuration whose architecture is not known to have it.</summary>
    void RefuseForeignFields()
    {
        if (!_family.IsLatent && _fields.Has("kv_lora_rank"))
            throw _fields.Invalid("kv_lora_rank", "a latent cache", $"none in the architecture {Printable.Quote(_type)}");
        if (_family.Defaults.ContainsKey("num_kv_shared_layers") || _fields.Optional("num_kv_shared_layers", least: 0) is null or 0)
            return;
        throw _fields.Invalid("num_kv_shared_layers", "layers that share a cache", $"none in the architecture {Printable.Quote(_type)}");
    }

    ImmutableArray<int?> Windows(int layers)
    {
        if (_fields.Texts("layer_types") is { } types)
            return FromTypes(types, layers);
        if (_isAssumed && _fields.Has("sliding_window"))
            throw _fields.Invalid("sliding_window", "a sliding window", "none, or layer_types that say which layers it is for: the architecture is unknown");
        int? window = _family.Windows == WindowRule.None || !UsesWindow() ? null : _fields.Optional("sliding_window", MostTokens);
        if (window is null)
            return [.. Enumerable.Repeat<int?>(null, layers)];
        int from = _family.Windows == WindowRule.FromLayer ? _fields.Count("max_window_layers", MostLayers, least: 0) : 0;
        int every = _family.Windows == WindowRule.AllButEvery ? _fields.Optional("sliding_window_pattern", MostLayers) ?? _family.Pattern : int.MaxValue;
        return [.. Enumerable.Range(0, layers).Select(layer => layer >= from && (layer + 1) % every != 0 ? window : null)];
    }

    bool UsesWindow() => _family.Windows != WindowRule.FromLayer || _fields.Flag("use_sliding_window");

    ImmutableArray<int?> FromTypes(ImmutableArray<string> types, int layers)
    {
        if (types.Length != layers)
            throw _fields.Invalid("layer_types", $"{types.Length} layers", $"the {layers} of num_hidden_layers");
        return [.. types.Select(Window)];
    }

    int? Window(string type) => type switch
    {
        "full_attention" => null,
        "sliding_attention" => _fields.Optional("sliding_window", MostTokens) ?? throw _fields.Invalid("sliding_window", "no window", "one, since layer_types has sliding layers"),
        _ => throw _fields.Invalid("layer_types", Printable.Quote(type), "full_attention or sliding_attention"),
    };

    static string TypeOf(string path, JsonElement config) => config.TryGetProperty("model_type", out JsonElement type)
        ? type.ValueKind == JsonValueKind.String ? type.GetString()! : throw ModelFormatException.At(path, "model_type", $"a JSON {type.ValueKind}", "a string")
        : throw ModelFormatException.At(path, "model_type", "the field is missing", "the name of an architecture");

    ModelFormatException Unknown(string path, bool isNested) => ModelFormatException.At(path, isNested ? "text_config.model_type" : "model_type", Printable.Quote(_type),
        $"one of {string.Join(", ", HfFamily.Names)}; --assume-llama reads it as if every layer kept a key and a value per KV head");

    static string FolderName(string path) => Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(path))) is { Length: > 0 } folder ? folder : "config.json";
}
