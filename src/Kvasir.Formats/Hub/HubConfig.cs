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
    public const string FileName = "config.json", UseCacheKey = "kvasir.use_cache";

    const string Generation = "generation_config.json";

    readonly GgufEntries _entries = new();

    string FilePath => Path.Combine(folder, FileName);

    public GgufMetadata Metadata()
    {
        using JsonDocument config = JsonFile.Read(FilePath);
        string advice = Path.Combine(folder, Generation);
        using JsonDocument? generation = File.Exists(advice) ? JsonFile.Read(advice) : null;
        _entries.Set("general.architecture", architecture);
        _entries.Set("general.name", Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))));
        new GgufSpecKeys(spec, architecture, _entries.Set).Write();
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
        ("experts", layer => layer.FeedForward?.Experts), ("num_experts_per_tok", layer => layer.FeedForward?.Chosen),
        ("norm_topk_prob", layer => layer.FeedForward?.WeighsAmongAll == false), ("swiglu_limit", layer => layer.FeedForward?.Limit),
        ("norms", layer => layer.Norms),
        ("parallel attention", layer => layer.IsParallel),
        ("rope_parameters", layer => layer.Attention?.Rope is { } rope ? (rope.Base, rope.Dims, Spell(rope)) : null),
        ("attention", layer => layer.Attention is { } attention ? attention with { Rope = null } : null),
    ];

    /// <summary>
    /// What a scaling does; nothing for Llama 3's, which is a tensor in GGUF files, as LongRoPE's factor is in its magnitude.
    /// </summary>
    static string? Spell(RopeSpec rope) => GgufSpecKeys.ScalingOf(rope) is not { } scaling ? null : FormattableString.Invariant(
        $"{scaling.Type}, factor {(scaling.DependsOnContext ? 1 : scaling.Factor)}, magnitude {scaling.Magnitude}, ")
        + (scaling.Type == "linear" ? ""
            : FormattableString.Invariant($"from {scaling.OriginalContext}, {scaling.FastTurns} to {scaling.SlowTurns} turns, ")
        + FormattableString.Invariant($"{(scaling.RoundsPairs ? "" : "not ")}rounded, {scaling.LogWeights}, ")
        + string.Join(' ', scaling.ShortDivisors.Concat(scaling.LongDivisors)));
}
