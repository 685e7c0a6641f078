using System.Collections.Immutable;
using System.Text.Json;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Models;

namespace Kvasir.Formats.Hub;

/// <summary>
/// What <c>config.json</c>, <c>generation_config.json</c> and the tokenizer's files say, under the keys that a converter writes into a GGUF
/// file for them.
/// </summary>
sealed class HubConfig(string folder, ModelSpec spec, string architecture)
{
    public const string FileName = "config.json", Llama3 = "llama3", UseCacheKey = "kvasir.use_cache";

    const string Generation = "generation_config.json";

    readonly GgufEntries _entries = new();

    string FilePath => Path.Combine(folder, FileName);

    public GgufMetadata Metadata()
    {
        using JsonDocument config = JsonFile.Read(FilePath);
        using JsonDocument? generation = File.Exists(Path.Combine(folder, Generation)) ? JsonFile.Read(Path.Combine(folder, Generation)) : null;
        _entries.Set("general.architecture", architecture);
        _entries.Set("general.name", Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))));
        Geometry();
        Attention();
        Rope();
        foreach (JsonProperty own in config.RootElement.EnumerateObject())
            if (own.Name.StartsWith("kvasir.", StringComparison.Ordinal) && own.Value.ValueKind == JsonValueKind.String)
                _entries.Set(own.Name, own.Value.GetString());
        HubGeneration asked = new(FilePath, config.RootElement, Path.Combine(folder, Generation), generation?.RootElement);
        asked.AddTo(_entries);
        new HubTokenizer(folder, spec.Vocabulary).AddTo(_entries, asked.Ends, asked.Begin);
        return _entries.Metadata(folder);
    }

    /// <summary>Refuses a configuration of which the keys of a GGUF file cannot say everything.</summary>
    /// <exception cref="ModelFormatException">The two differ; the line names the field.</exception>
    public static void CheckReadAlike(string path, ModelSpec said, ModelSpec read)
    {
        foreach ((string field, Func<ModelSpec, object?> of) in s_facts)
            if (!Equals(of(said), of(read)))
                throw ModelFormatException.At(path, field, $"{of(said) ?? "nothing"}", $"{of(read) ?? "nothing"}, as its architecture and tensors have it");
        for (int layer = 0; layer < said.Layers.Length; layer++)
            foreach ((string field, Func<LayerSpec, object?> of) in s_layerFacts)
                if (!Equals(of(said.Layers[layer]), of(read.Layers[layer])))
                    throw ModelFormatException.At(path, field, $"{of(said.Layers[layer]) ?? "nothing"} in layer {layer}",
                        $"{of(read.Layers[layer]) ?? "nothing"}, as its architecture and tensors have it");
    }

    static readonly (string, Func<ModelSpec, object?>)[] s_facts =
    [
        ("vocab_size", spec => spec.Vocabulary), ("hidden_size", spec => spec.Width), ("num_hidden_layers", spec => spec.Layers.Length),
        ("max_position_embeddings", spec => spec.Context), ("rms_norm_eps", spec => spec.Norm), ("embedding scale", spec => spec.EmbeddingScale),
        ("residual scale", spec => spec.ResidualScale), ("logit_scale", spec => spec.LogitScale),
        ("final_logit_softcapping", spec => spec.LogitSoftcap), ("tie_word_embeddings", spec => spec.IsTied),
    ];

    static readonly (string, Func<LayerSpec, object?>)[] s_layerFacts =
    [
        ("intermediate_size", layer => layer.FeedForward?.Width), ("hidden_act", layer => layer.FeedForward?.Activation),
        ("experts", layer => layer.FeedForward?.Experts), ("norms", layer => layer.Norms), ("parallel attention", layer => layer.IsParallel),
        ("rope_parameters", layer => layer.Attention?.Rope is { } rope ? (rope.Base, rope.Dims, ScalingOf(rope)) : null),
        ("attention", layer => layer.Attention is { } attention ? attention with { Rope = null } : null),
    ];

    /// <summary>Llama 3's scaling is a tensor in GGUF files.</summary>
    static RopeScaling? ScalingOf(RopeSpec rope) => rope.Scaling?.Type == Llama3 ? null : rope.Scaling;

    void Geometry()
    {
        Key("context_length", (uint)spec.Context);
        Key("embedding_length", (uint)spec.Width);
        Key("block_count", (uint)spec.Layers.Length);
        Key("vocab_size", (uint)spec.Vocabulary);
        Key("feed_forward_length", PerLayer(layer => layer.FeedForward?.Width ?? 0));
        Key("attention.layer_norm_rms_epsilon", spec.Norm.Kind == NormKind.Rms ? spec.Norm.Epsilon : null);
        Key("attention.layer_norm_epsilon", spec.Norm.Kind == NormKind.Layer ? spec.Norm.Epsilon : null);
        Key("residual_scale", spec.ResidualScale);
        Key("logit_scale", spec.LogitScale);
        Key("final_logit_softcapping", spec.LogitSoftcap);
    }

    void Attention()
    {
        AttentionSpec first = spec.Attention.First();
        Key("attention.head_count", PerLayer(layer => layer.Attention?.Heads ?? 0));
        Key("attention.head_count_kv", PerLayer(layer => layer.Attention?.KvHeads ?? 0));
        Key("attention.key_length", (uint)first.KeyDim);
        Key("attention.value_length", (uint)first.ValueDim);
        Key("attention.scale", first.Scale);
        Key("attn_logit_softcapping", first.Softcap);
        if (spec.Attention.FirstOrDefault(layer => layer.Window is not null) is not { } sliding)
            return;
        Key("attention.sliding_window", (uint)sliding.Window!.Value);
        Key("attention.sliding_window_pattern", ImmutableArray.CreateRange(spec.Layers, layer => layer.Attention?.Window is not null));
    }

    void Rope()
    {
        RopeSpec? full = RopeOf(window: false), sliding = RopeOf(window: true);
        if ((full ?? sliding) is not { } rope)
            return;
        Key("rope.freq_base", rope.Base);
        Key("rope.dimension_count", (uint)rope.Dims);
        if (full is not null && sliding is not null && sliding != full)
            Key("rope.freq_base_swa", sliding.Base);
        if (ScalingOf(rope) is not { } scaling)
            return;
        Key("rope.scaling.type", scaling.Type);
        Key("rope.scaling.factor", scaling.Factor);
        Key("rope.scaling.original_context_length", (uint?)scaling.OriginalContext);
    }

    RopeSpec? RopeOf(bool window) => spec.Attention.FirstOrDefault(layer => layer.Window is not null == window)?.Rope;

    /// <summary>One number where all layers have the same, as converters write it.</summary>
    object PerLayer(Func<LayerSpec, int> of) => spec.Layers.Select(of).Distinct().Count() == 1
        ? (uint)of(spec.Layers[0])
        : ImmutableArray.CreateRange(spec.Layers, of);

    void Key(string name, object? value) => _entries.Set($"{architecture}.{name}", value);
}
