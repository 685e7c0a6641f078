using Kvasir.Formats;
using Kvasir.Formats.Gguf;

namespace Kvasir.Inference.Model;

/// <summary>Keys of a GGUF file's architecture (<c>llama.…</c>).</summary>
static class KnownKeys
{
    static readonly string[] s_read =
    [
        "block_count", "context_length", "embedding_length", "feed_forward_length", "vocab_size", "tensor_data_layout",
        "attention.head_count", "attention.head_count_kv", "attention.key_length", "attention.value_length",
        "attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon", "attention.scale", "attention.kv_lora_rank",
        "attention.sliding_window", "attention.sliding_window_pattern", "attention.shared_kv_layers", "attention.kv_producers",
        "attn_logit_softcapping", "final_logit_softcapping", "embedding_scale", "residual_scale", "logit_scale",
        "rope.dimension_count", "rope.freq_base", "rope.freq_base_swa", "rope.scaling.type", "rope.scaling.factor",
        "rope.scaling.original_context_length", "rope.scaling.finetuned", "rope.scaling.attn_factor", "rope.scaling.yarn_attn_factor",
        "rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow", "rope.scaling.yarn_log_multiplier",
        "attention.temperature_scale",
        "rope.scaling.yarn_truncate", "expert_count", "leading_dense_block_count", "pooling_type",
    ];

    /// <summary>Keys that mixtures of experts have; in dense models those that say something ask for what is not there.</summary>
    static readonly string[] s_ofExperts = ["expert_used_count", "expert_feed_forward_length", "expert_weights_norm"];

    static readonly Dictionary<string, double> s_neutral = new()
    {
        ["attention.causal"] = 1, // attention looks back only
        ["attention.clamp_kqv"] = 0,
        ["attention.max_alibi_bias"] = 0,
        ["attention.q_lora_rank"] = 0,
        ["expert_shared_count"] = 0,
        ["expert_shared_feed_forward_length"] = 0,
        ["expert_weights_scale"] = 1,
        ["expert_group_count"] = 0,
        ["nextn_predict_layers"] = 0,
        ["rope.scale_linear"] = 1,
        ["rope.scaling.yarn_ext_factor"] = 1,
        ["use_parallel_residual"] = 0,
    };

    /// <summary>Refuses a file with a key that may change what the model says and is not computed.</summary>
    /// <exception cref="ModelFormatException">There is one; the line names the key and its value.</exception>
    public static void Check(GgufMetadata metadata, string architecture, bool hasExperts)
    {
        if (metadata.GetString("general.type", "model") is not "model" and var type)
            throw metadata.Invalid("general.type", Printable.Quote(type!), "'model'");
        GgufKnownKeys known = hasExperts
            ? new([.. s_read, .. s_ofExperts], s_neutral)
            : new(s_read, [.. s_neutral, .. s_ofExperts.Select(key => KeyValuePair.Create(key, 0.0))]);
        known.Check(metadata, architecture + ".");
    }
}
