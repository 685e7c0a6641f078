using System.Collections.Frozen;
using System.Globalization;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;

namespace Kvasir.Inference.Model;

/// <summary>
/// Keys of a GGUF file's architecture (<c>llama.…</c>). A key that nobody here knows may change results, so a model with one is refused.
/// </summary>
static class KnownKeys
{
    /// <summary>What <see cref="SupportedModels"/> and the description read, and what says nothing about results.</summary>
    static readonly FrozenSet<string> s_read = FrozenSet.Create(StringComparer.Ordinal,
        "block_count", "context_length", "embedding_length", "feed_forward_length", "vocab_size", "tensor_data_layout",
        "attention.head_count", "attention.head_count_kv", "attention.key_length", "attention.value_length",
        "attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon", "attention.scale", "attention.kv_lora_rank",
        "attention.sliding_window", "attention.sliding_window_pattern", "attention.shared_kv_layers", "attention.kv_producers",
        "attn_logit_softcapping", "final_logit_softcapping", "embedding_scale", "residual_scale", "logit_scale",
        "rope.dimension_count", "rope.freq_base", "rope.freq_base_swa", "rope.scaling.type", "rope.scaling.factor",
        "rope.scaling.original_context_length", "rope.scaling.finetuned",
        "expert_count", "leading_dense_block_count", "pooling_type");

    /// <summary>Keys that ask for something only with another value than this.</summary>
    static readonly FrozenDictionary<string, double> s_neutral = new Dictionary<string, double>
    {
        ["attention.causal"] = 1, // attention looks back only
        ["attention.clamp_kqv"] = 0,
        ["attention.max_alibi_bias"] = 0,
        ["attention.q_lora_rank"] = 0,
        ["expert_used_count"] = 0,
        ["expert_feed_forward_length"] = 0,
        ["expert_shared_count"] = 0,
        ["nextn_predict_layers"] = 0,
        ["rope.scale_linear"] = 1,
        ["rope.scaling.attn_factor"] = 1,
        ["use_parallel_residual"] = 0,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>Refuses a file with a key that may change what the model says and is not computed.</summary>
    /// <exception cref="ModelFormatException">There is one; the line names the key and its value.</exception>
    public static void Check(GgufMetadata metadata, string architecture)
    {
        if (metadata.GetString("general.type", "model") is not "model" and var type)
            throw metadata.Invalid("general.type", Printable.Quote(type!), "'model'");
        foreach (string key in metadata.Keys)
            if (key.StartsWith(architecture + ".", StringComparison.Ordinal) && key[(architecture.Length + 1)..] is var name)
            {
                if (s_neutral.TryGetValue(name, out double neutral) ? Number(metadata[key]) is { } number && number != neutral
                    : !s_read.Contains(name))
                    throw metadata.Invalid(key, Text(metadata, key),
                        s_neutral.ContainsKey(name) ? Expected(metadata[key], neutral) : "no such key: what it changes is not computed");
            }
    }

    /// <summary>A number, or a bool as one; null for what is neither.</summary>
    static double? Number(object value) =>
        value is IConvertible and not string ? Convert.ToDouble(value, CultureInfo.InvariantCulture) : null;

    static string Text(GgufMetadata metadata, string key) => metadata[key] is IConvertible value
        ? Printable.Quote(value.ToString(CultureInfo.InvariantCulture))
        : metadata.TypeName(key);

    static string Expected(object value, double neutral) => string.Create(CultureInfo.InvariantCulture,
        $"{(value is bool ? neutral == 1 : neutral)}, which is all that is computed");
}
