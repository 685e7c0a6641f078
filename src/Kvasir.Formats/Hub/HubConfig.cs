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

    ModelFamily Family => ModelFamily.Gguf[architecture];

    string FilePath => Path.Combine(folder, FileName);

    public GgufMetadata Metadata()
    {
        using JsonDocument config = JsonFile.Read(FilePath);
        string advice = Path.Combine(folder, Generation);
        using JsonDocument? generation = File.Exists(advice) ? JsonFile.Read(advice) : null;
        _entries.Set("general.architecture", architecture);
        _entries.Set("general.name", Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))));
        Geometry();
        Attention();
        Rope();
        foreach (JsonProperty own in config.RootElement.EnumerateObject())
            if (own.Name.StartsWith("kvasir.", StringComparison.Ordinal) && own.Value.ValueKind == JsonValueKind.String)
                _entries.Set(own.Name, own.Value.GetString());
        HubGeneration asked = new(FilePath, config.RootElement, advice, generation?.RootElement);
        asked.AddTo(_entries);
        new HubTokenizer(folder, spec.Vocabulary).AddTo(_entries, asked.Ends, asked.Begin);
        return _entries.Metadata(folder);
    }

    /// <summary>Refuses a configuration of which the keys of a GGUF file cannot say everything.</summary>
    /// <exception cref="ModelFormatException">The two differ; the line names the field.</exception>
    public static void CheckReadAlike(string path, ModelSpec said, ModelSpec read)
    {
        foreach ((string field, Func<ModelSpec, object?> of) in s_facts)
            CheckAlike(path, field, of(said), of(read), "");
        for (int layer = 0; layer < said.Layers.Length; layer++)
            foreach ((string field, Func<LayerSpec, object?> of) in s_layerFacts)
                CheckAlike(path, field, of(said.Layers[layer]), of(read.Layers[layer]), $" in layer {layer}");
    }

    static void CheckAlike(string path, string field, object? said, object? read, string where)
    {
        if (!Equals(said, read))
            throw ModelFormatException.At(
                path, field, $"{said ?? "nothing"}{where}", $"{read ?? "nothing"}, as its architecture and tensors have it");
    }

    static readonly (string, Func<ModelSpec, object?>)[] s_facts =
    [
        ("vocab_size", spec => spec.Vocabulary), ("hidden_size", spec => spec.Width), ("num_hidden_layers", spec => spec.Layers.Length),
        ("max_position_embeddings", spec => spec.Context), ("rms_norm_eps", spec => spec.Norm),
        ("embedding_multiplier", spec => spec.EmbeddingScale), ("residual_multiplier", spec => spec.ResidualScale),
        ("logit_scale", spec => spec.LogitScale),
        ("final_logit_softcapping", spec => spec.LogitSoftcap), ("tie_word_embeddings", spec => spec.IsTied),
    ];

    static readonly (string, Func<LayerSpec, object?>)[] s_layerFacts =
    [
        ("intermediate_size", layer => layer.FeedForward?.Width), ("hidden_act", layer => layer.FeedForward?.Activation),
        ("experts", layer => layer.FeedForward?.Experts), ("norms", layer => layer.Norms),
        ("parallel attention", layer => layer.IsParallel),
        ("rope_parameters", layer => layer.Attention?.Rope is { } rope ? (rope.Base, rope.Dims, Spell(rope)) : null),
        ("attention", layer => layer.Attention is { } attention ? attention with { Rope = null } : null),
    ];

    /// <summary>
    /// What a scaling does; nothing for Llama 3's, which is a tensor in GGUF files, as LongRoPE's factor is in its magnitude.
    /// </summary>
    static string? Spell(RopeSpec rope) => ScalingOf(rope) is not { } scaling ? null : FormattableString.Invariant(
        $"{scaling.Type}, factor {(scaling.DependsOnContext ? 1 : scaling.Factor)}, magnitude {scaling.Magnitude}, ")
        + (scaling.Type == "linear" ? ""
            : FormattableString.Invariant($"from {scaling.OriginalContext}, {scaling.FastTurns} to {scaling.SlowTurns} turns, ")
        + FormattableString.Invariant($"{(scaling.RoundsPairs ? "" : "not ")}rounded, {scaling.LogWeights}, ")
        + string.Join(' ', scaling.ShortDivisors.Concat(scaling.LongDivisors)));

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
        Key("embedding_scale", Family.ScalesEmbedding ? null : spec.EmbeddingScale);
        Key("logit_scale", Family.DividesLogits ? 1 / spec.LogitScale : spec.LogitScale);
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
        Key("attention.temperature_scale", first.Temperature?.Scale);
        if (spec.Attention.FirstOrDefault(layer => layer.Window is not null) is not { } sliding)
            return;
        Key("attention.sliding_window", (uint)sliding.Window!.Value);
        Key("attention.sliding_window_pattern", ImmutableArray.CreateRange(spec.Layers, layer => layer.Attention?.Window is not null));
    }

    void Rope()
    {
        AttentionSpec first = spec.Attention.First();
        RopeSpec? full = RopeOf(window: false), sliding = RopeOf(window: true);
        if ((full ?? sliding) is not { } rope)
            return;
        Key("rope.freq_base", rope.Base);
        Key("rope.dimension_count", (uint)rope.Dims);
        if (full is not null && sliding is not null && sliding.Base != full.Base)
            Key("rope.freq_base_swa", sliding.Base);
        Key("rope.scaling.original_context_length", (uint?)(first.Temperature?.Every ?? rope.Scaling?.OriginalContext));
        if (ScalingOf(rope) is { } scaling)
            Scaling(scaling);
    }

    void Scaling(RopeScaling scaling)
    {
        if (scaling.DependsOnContext) // its name stands in no file, and its factor is in its magnitude
        {
            Key("rope.scaling.attn_factor", scaling.Magnitude);
            return;
        }
        Key("rope.scaling.type", scaling.Type);
        Key("rope.scaling.factor", scaling.Factor);
        Key("rope.scaling.yarn_attn_factor", scaling.AttentionFactor);
        Key("rope.scaling.yarn_beta_fast", scaling.Type == "yarn" ? scaling.FastTurns : null);
        Key("rope.scaling.yarn_beta_slow", scaling.Type == "yarn" ? scaling.SlowTurns : null);
        Key("rope.scaling.yarn_log_multiplier", scaling.LogWeights?.Over);
    }

    RopeSpec? RopeOf(bool window) =>
        spec.Attention.FirstOrDefault(layer => layer.Window is not null == window && layer.Rope is not null)?.Rope;

    /// <summary>One number where all layers have the same, as converters write it.</summary>
    object PerLayer(Func<LayerSpec, int> of) => spec.Layers.Select(of).Distinct().Count() == 1
        ? (uint)of(spec.Layers[0])
        : ImmutableArray.CreateRange(spec.Layers, of);

    void Key(string name, object? value) => _entries.Set($"{architecture}.{name}", value);
}
