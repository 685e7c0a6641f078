using System.Collections.Immutable;
using System.Text.Json;

namespace Kvasir.Formats.Models;

/// <summary>Reads a <see cref="ModelSpec"/> from a Hugging Face <c>config.json</c>, which is not trusted.</summary>
sealed class HfModelReader
{
    const int MostFileBytes = 16 << 20, MostLayers = 4096, MostVocabulary = 1 << 24, MostTokens = 1 << 30;

    readonly string _type;
    readonly HfFamily _family;
    readonly ConfigFields _fields;
    readonly bool _isAssumed;

    /// <param name="path">The file, for messages.</param>
    /// <param name="config">Its content.</param>
    /// <param name="assumeLlama">Read an unknown architecture as if it kept what Llama keeps.</param>
    HfModelReader(string path, JsonElement config, bool assumeLlama)
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
    /// <exception cref="ModelFormatException">It cannot be read, is no such configuration, contradicts itself, or is of an
    /// unknown architecture.</exception>
    public static ModelSpec ReadFile(string path, bool assumeLlama)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            if (file.Length > MostFileBytes)
                throw ModelFormatException.At(path, "file", $"{file.Length} bytes", $"a configuration of at most {MostFileBytes}");
            using JsonDocument document = JsonDocument.Parse(file, new JsonDocumentOptions { AllowDuplicateProperties = false });
            string name = document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty("_name_or_path", out JsonElement given)
                && given.ValueKind == JsonValueKind.String && given.GetString() is { Length: > 0 } text ? text : FolderName(path);
            return Read(name, path, path, document.RootElement, assumeLlama);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new ModelFormatException($"{Printable.Line(path, 4096)}: {(e is JsonException ? "no valid JSON" : "cannot be read")}: "
                + $"{Printable.Line(e.Message, 512)}", e);
        }
    }

    /// <summary>Reads a configuration that is parsed already.</summary>
    public static ModelSpec Read(string name, string path, string source, JsonElement config, bool assumeLlama = false) =>
        new HfModelReader(path, config, assumeLlama).Read(name, source);

    ModelSpec Read(string name, string source)
    {
        int width = _fields.Count("hidden_size"), vocabulary = _fields.Count("vocab_size", MostVocabulary);
        int count = _fields.Count("num_hidden_layers", MostLayers);
        HfExperts experts = new(_fields, count);
        ImmutableArray<LayerSpec> layers = new HfLayerReader(_fields, _family, experts, _type, _isAssumed, width, count).Read();
        (long All, long Active, ExpertSpec? Experts)? parameters =
            _family.IsCounted ? new HfParameters(_fields, _family, experts, width, vocabulary, layers).Count() : null;
        return new ModelSpec
        {
            Name = name,
            Source = source,
            Architecture = _type,
            Context = Context(),
            Width = width,
            Vocabulary = vocabulary,
            Layers = layers,
            Norm = new NormSpec(_family.Family.Norm, _fields.Number(_family.EpsilonField)),
            EmbeddingScale = _family.Family.ScalesEmbedding ? MathF.Sqrt(width) : NotOne("embedding_multiplier"),
            ResidualScale = NotOne("residual_multiplier"),
            LogitScale = _family.Family.DividesLogits
                ? _family.Family.LogitScaleOf(NotOne("logits_scaling")) : _fields.Number("logit_scale", _family.LogitScale),
            LogitSoftcap = _fields.Number("final_logit_softcapping", _family.LogitSoftcap),
            IsTied = _fields.Flag("tie_word_embeddings", _family.Family.IsTied),
            Beyond = _family.Family.Beyond,
            Parameters = parameters?.All,
            ActiveParameters = parameters?.Active,
            Experts = parameters?.Experts,
            Notes = [.. Notes()],
        };
    }

    float? NotOne(string name) => _fields.Number(name) is { } factor && factor != 1 ? factor : null;

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

    static string TypeOf(string path, JsonElement config) => config.TryGetProperty("model_type", out JsonElement type)
        ? type.ValueKind == JsonValueKind.String
            ? type.GetString()!
            : throw ModelFormatException.At(path, "model_type", $"a JSON {type.ValueKind}", "a string")
        : throw ModelFormatException.At(path, "model_type", "the field is missing", "the name of an architecture");

    ModelFormatException Unknown(string path, bool isNested) =>
        ModelFormatException.At(path, isNested ? "text_config.model_type" : "model_type", Printable.Quote(_type),
        $"one of {string.Join(", ", HfFamily.Names)}; --assume-llama reads it as if every layer kept a key and a value per KV head");

    static string FolderName(string path) => Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(path))) is { Length: > 0 } folder
        ? folder
        : "config.json";
}
