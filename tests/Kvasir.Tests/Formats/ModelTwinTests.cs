using System.Collections.Immutable;
using System.Text;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Models;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Formats;

/// <summary>One model, described by a GGUF file and by a configuration of Hugging Face: both say the same of every layer.</summary>
public sealed class ModelTwinTests : IDisposable
{
    const string GemmaWindows = "attention.sliding_window=64 attention.sliding_window_pattern=2 rope.freq_base=1000000";

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>The keys and fields that both formats need for two layers of two heads, and what each family has beside them.</summary>
    public static TheoryData<string, string, string, string> Twins => new()
    {
        { "llama", "llama", "rope.freq_base=500000", """ "rope_theta": 500000.0 """ },
        { "llama", "llama", "rope.scaling.type=linear rope.scaling.factor=4", """ "rope_scaling": { "type": "linear", "factor": 4 } """ },
        { "llama", "llama", "rope.dimension_count=8", """ "partial_rotary_factor": 0.5 """ },
        { "llama", "mistral", "attention.sliding_window=64", """ "sliding_window": 64 """ },
        { "qwen2", "qwen2", "rope.freq_base=1000000", """ "rope_theta": 1000000.0, "use_sliding_window": false """ },
        { "qwen3", "qwen3", "rope.freq_base=1000000", """ "rope_parameters": { "rope_type": "default", "rope_theta": 1000000 } """ },
        { "qwen3moe", "qwen3_moe", "expert_count=4 expert_used_count=2 expert_feed_forward_length=32",
            """ "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "norm_topk_prob": true """ },
        { "gemma", "gemma", "", "" },
        { "gemma2", "gemma2", "attention.sliding_window=64 attn_logit_softcapping=50 final_logit_softcapping=30",
            """ "sliding_window": 64 """ },
        { "gemma3", "gemma3_text", GemmaWindows + " rope.scaling.type=linear rope.scaling.factor=8",
            """ "sliding_window": 64, "sliding_window_pattern": 2, "rope_scaling": { "rope_type": "linear", "factor": 8.0 } """ },
        { "gemma3", "gemma3_text", GemmaWindows + " rope.freq_base_swa=5000",
            """
             "layer_types": ["sliding_attention", "full_attention"], "sliding_window": 64,
             "rope_parameters": { "full_attention": { "rope_theta": 1000000 }, "sliding_attention": { "rope_theta": 5000 } }
            """ },
        { "gpt-oss", "gpt_oss", "attention.sliding_window=64 rope.freq_base=150000 rope.scaling.type=yarn rope.scaling.factor=32 "
            + "rope.scaling.original_context_length=4096",
            """
             "sliding_window": 64,
             "rope_scaling": { "rope_type": "yarn", "factor": 32.0, "original_max_position_embeddings": 4096 }
            """ },
        { "command-r", "cohere", "logit_scale=0.0625", "" },
        { "cohere2", "cohere2", "attention.sliding_window=64 attention.sliding_window_pattern=2 logit_scale=0.0625",
            """ "sliding_window": 64, "sliding_window_pattern": 2 """ },
        { "phi3", "phi3", "", "" },
        { "smollm3", "smollm3", "rope.freq_base=5000000", """ "rope_theta": 5000000.0 """ },
        { "olmo2", "olmo2", "", "" },
        { "olmo2", "olmo3", "attention.sliding_window=64 attention.sliding_window_pattern=2 rope.scaling.type=yarn rope.scaling.factor=8 "
            + "rope.scaling.original_context_length=64",
            """
             "layer_types": ["sliding_attention", "full_attention"], "sliding_window": 64,
             "rope_scaling": { "rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 64 }
            """ },
        { "granite", "granite", "embedding_scale=12 residual_scale=0.22 attention.scale=0.25 logit_scale=8",
            """
             "embedding_multiplier": 12, "residual_multiplier": 0.22, "attention_multiplier": 0.25, "logits_scaling": 8
            """ },
        { "glm4", "glm4", "rope.dimension_count=8", """ "partial_rotary_factor": 0.5 """ },
        { "mistral3", "ministral3", "rope.scaling.type=yarn rope.scaling.factor=16 rope.scaling.original_context_length=32 "
            + "rope.scaling.yarn_log_multiplier=1 attention.temperature_scale=0.1",
            """
             "rope_parameters": { "rope_type": "yarn", "rope_theta": 10000, "factor": 16.0, "original_max_position_embeddings": 32,
               "mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.1 }
            """ },
        { "deepseek2", "deepseek_v2", "attention.kv_lora_rank=32 rope.dimension_count=8 leading_dense_block_count=1 expert_count=4 "
            + "expert_used_count=2 expert_feed_forward_length=24",
            """
             "kv_lora_rank": 32, "qk_rope_head_dim": 8, "qk_nope_head_dim": 16, "v_head_dim": 16, "first_k_dense_replace": 1,
             "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24
            """ },
    };

    [Theory, MemberData(nameof(Twins))]
    public void Both_formats_describe_the_same_model(string architecture, string type, string keys, string fields)
    {
        ModelSpec ours = Gguf(architecture, keys), theirs = Config(type, fields);
        Assert.Equal(theirs.Layers.Select(Comparable), ours.Layers.Select(Comparable));
        Assert.Equal(Scales(theirs), Scales(ours));
    }

    static object Scales(ModelSpec spec) =>
        (spec.Context, spec.Width, spec.Vocabulary, spec.Norm, spec.EmbeddingScale, spec.ResidualScale, spec.LogitScale, spec.LogitSoftcap,
            spec.Beyond);

    /// <summary>Weights are permuted for the one style of rotation or the other: it is the file's, not the model's.</summary>
    static LayerSpec Comparable(LayerSpec layer)
    {
        RopeSpec? rope = layer.Attention!.Rope;
        return layer with { Attention = layer.Attention with { Rope = rope is null ? null : rope with { Style = RopeStyle.Halves } } };
    }

    ModelSpec Gguf(string architecture, string keys)
    {
        var writer = new GgufWriter();
        writer.Set("general.architecture", architecture);
        string epsilon = architecture is "command-r" or "cohere2" ? "layer_norm_epsilon" : "layer_norm_rms_epsilon";
        foreach ((string key, object value) in (ReadOnlySpan<(string, object)>)[
            ("block_count", 2u), ("context_length", 512u), ("embedding_length", 64u), ("feed_forward_length", 96u), ("vocab_size", 100u),
            ("attention.head_count", 4u), ("attention.head_count_kv", 2u), ("attention.key_length", 16u),
            ("attention.value_length", 16u), ($"attention.{epsilon}", 1e-5f)])
            writer.Set($"{architecture}.{key}", value);
        foreach (string[] pair in keys.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(pair => pair.Split('=')))
            writer.Set($"{architecture}.{pair[0]}", Value(pair[0], pair[1]));
        writer.Write(_folder["model.gguf"]);
        using GgufFile file = GgufFile.Open(_folder["model.gguf"]);
        return ModelSpec.From(file);
    }

    static object Value(string key, string text) => key.Split('.')[^1] switch
    {
        "freq_base" or "freq_base_swa" or "factor" or "attn_logit_softcapping" or "final_logit_softcapping" or "logit_scale" or "embedding_scale"
            or "residual_scale" or "scale" or "yarn_log_multiplier" or "temperature_scale" =>
            float.Parse(text),
        "type" => text,
        _ => uint.Parse(text),
    };

    ModelSpec Config(string type, string fields)
    {
        string epsilon = type.StartsWith("cohere", StringComparison.Ordinal) ? "layer_norm_eps" : "rms_norm_eps";
        string json = $$"""
            { "model_type": "{{type}}", "num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 96,
              "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
              "vocab_size": 100, "max_position_embeddings": 512, "{{epsilon}}": 1e-5{{(fields.Length > 0 ? "," : "")}} {{fields}} }
            """;
        return ModelSpec.FromConfig(_folder.Write("config.json", Encoding.UTF8.GetBytes(json)));
    }
}
