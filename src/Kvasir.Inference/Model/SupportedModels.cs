using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Models;

namespace Kvasir.Inference.Model;

/// <summary>
/// What the forward pass computes. A description says what a model is; here stands what of that is computed, and everything else is refused
/// by the name of its key, because a pass that ignores it would answer wrongly without a word.
/// </summary>
public static class SupportedModels
{
    /// <summary>Architectures whose answers are checked against another engine's.</summary>
    static readonly string[] s_architectures =
    [
        "gemma", "gemma2", "gemma3", "glm4", "gpt-oss", "granite", "llama", "mistral3", "olmo2", "phi3", "qwen2", "qwen3", "qwen3moe",
        "smollm3",
    ];

    /// <summary>Those of them that may be mixtures of experts.</summary>
    static readonly string[] s_mixtures = ["gpt-oss", "llama", "qwen3moe"];

    static string Names => string.Join(", ", s_architectures);

    /// <summary>Reads what a model is, if it can be computed.</summary>
    /// <exception cref="ModelFormatException">It cannot; one line names the key, its value and what is computed.</exception>
    public static ModelSpec Read(IModelFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        string architecture = file.Metadata.GetString("general.architecture");
        if (!ModelFamily.Gguf.ContainsKey(architecture))
            throw file.Metadata.Invalid("general.architecture", Printable.Quote(architecture), $"one of {Names}");
        if (file.Metadata.GetInt32("split.count", 1) is not (0 or 1) and int parts)
            throw file.Metadata.Invalid("split.count", $"{parts}", "one file that holds the whole model");
        int layers = file.Metadata.GetInt32($"{architecture}.block_count"), tensors = file.Tensors.Count;
        if (layers > tensors) // a layer has tensors, so no honest file has more layers than those
            throw file.Metadata.Invalid($"{architecture}.block_count", $"{layers}", $"1 to {tensors}, as many as there are tensors");
        ModelSpec spec = ModelSpec.From(file);
        Check(spec);
        KnownKeys.Check(file.Metadata, architecture, spec.Layers.Any(layer => layer.FeedForward is { Experts: > 0 }));
        return spec;
    }

    /// <summary>Refuses a model that cannot be computed.</summary>
    /// <exception cref="ModelFormatException">
    /// It cannot; one line names the key as GGUF files have it, its value and what is computed.
    /// </exception>
    public static void Check(ModelSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        foreach ((string key, object seen, string expected) in OfModel(spec).Concat(spec.Layers.SelectMany(layer => OfLayer(spec, layer))))
            throw ModelFormatException.At(spec.Source, $"{Printable.Line(spec.Architecture)}.{key}", $"{seen}", expected);
        if (Unknown(spec) is { } what)
            throw ModelFormatException.At(spec.Source, "general.architecture", Printable.Quote(spec.Architecture), $"one of {Names}{what}");
    }

    static IEnumerable<(string Key, object Seen, string Expected)> OfModel(ModelSpec spec)
    {
        if (spec.Norm is { Kind: NormKind.Rms, Epsilon: null })
            yield return ("attention.layer_norm_rms_epsilon", "the key is missing", "a positive number");
    }

    static IEnumerable<(string Key, object Seen, string Expected)> OfLayer(ModelSpec spec, LayerSpec layer)
    {
        if (layer.FeedForward is not { } network)
            yield return ("feed_forward_length", "the key is missing, or 0", "the width of the feed-forward network");
        else if (network.Experts > 0 && !s_mixtures.Contains(spec.Architecture))
            yield return ("expert_count", network.Experts, $"none: mixtures of experts are those of {string.Join(", ", s_mixtures)}");
        else if (network.Experts > 0 && network.Chosen < 1)
            yield return ("expert_used_count", "the key is missing", $"1 to the {network.Experts} experts");
        else if (network.Experts == 0 && network.Limit is not null)
            yield return ("expert_count", 0, "experts, whose activations have a limit");
        else if ((long)network.Experts * Math.Max(network.Width, spec.Width) > int.MaxValue)
            yield return ("expert_count", $"{network.Experts} of {network.Width}", "experts that a machine can hold");
        if (layer.Attention is not { } attention)
        {
            yield return ("attention.head_count_kv", 0, "keys and values in every layer (states that are none are not supported)");
            yield break;
        }
        if ((long)attention.Heads * Math.Max(attention.KeyDim, attention.ValueDim) > int.MaxValue / sizeof(float))
            yield return ("attention.head_count", $"{attention.Heads} of {attention.KeyDim} elements", "heads that a machine can hold");
        if (attention.IsLatent)
            yield return ("attention.kv_lora_rank", attention.KeyDim - attention.Rope!.Dims, "none: keys and values, not one latent");
        if (attention.Rope?.Scaling is { HasFormula: false } scaling)
            yield return (
                "rope.scaling.type", Printable.Quote(scaling.Type), "none, linear, yarn, longrope, or Llama 3's factors as tensor rope_freqs.weight");
    }

    /// <summary>What follows from the name and is not computed, in words; null for an architecture that is.</summary>
    static string? Unknown(ModelSpec spec)
    {
        string?[] beyond =
        [
            spec.Beyond,
            spec.Norm.Kind == NormKind.Rms ? null : "norms of mean and variance",
            spec.Layers.Any(layer => layer.IsParallel) ? "attention and network at once" : null,
            spec.Layers.All(layer => layer.FeedForward is { Activation: FeedForwardSpec.Silu or FeedForwardSpec.Gelu, IsGated: true })
                ? null : "networks other than gated silu and gelu",
            spec.Layers.Any(layer => layer.FeedForward is { Experts: > 0, Activation: not FeedForwardSpec.Silu })
                ? "experts other than gated silu" : null,
        ];
        string[] named = [.. beyond.OfType<string>()];
        return named.Length > 0 ? $"; not computed: {string.Join(", ", named)}" : s_architectures.Contains(spec.Architecture) ? null : "";
    }
}
