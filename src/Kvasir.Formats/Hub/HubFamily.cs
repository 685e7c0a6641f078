using System.Collections.Immutable;

namespace Kvasir.Formats.Hub;

/// <summary>How the tensors of one <c>model_type</c> become those of a GGUF file: their names, the order of rows, and the norms.</summary>
/// <param name="Architecture">What GGUF files call it.</param>
sealed record HubFamily(string Architecture)
{
    static readonly ImmutableDictionary<string, string> s_layer = Names(
        "attn_norm input_layernorm", "attn_q self_attn.q_proj", "attn_k self_attn.k_proj", "attn_v self_attn.v_proj",
        "attn_output self_attn.o_proj", "attn_q_norm self_attn.q_norm", "attn_k_norm self_attn.k_norm",
        "ffn_norm post_attention_layernorm", "ffn_gate mlp.gate_proj", "ffn_up mlp.up_proj", "ffn_down mlp.down_proj");

    static readonly ImmutableDictionary<string, string> s_gemma2 = s_layer.SetItems(Names(
        "post_attention_norm post_attention_layernorm", "ffn_norm pre_feedforward_layernorm", "post_ffw_norm post_feedforward_layernorm"));

    static readonly ImmutableDictionary<string, string> s_phi3 =
        s_layer.AddRange(Names("attn_qkv self_attn.qkv_proj", "ffn_up mlp.gate_up_proj"));

    static readonly ImmutableDictionary<string, string> s_olmo2 = s_layer.SetItems(Names(
        "post_attention_norm post_attention_layernorm", "post_ffw_norm post_feedforward_layernorm"));

    static readonly ImmutableDictionary<string, string> s_glm4 = s_phi3.AddRange(Names(
        "post_attention_norm post_self_attn_layernorm", "post_ffw_norm post_mlp_layernorm"));

    static readonly ImmutableDictionary<string, string> s_qwen3Moe = s_layer.AddRange(Names("ffn_gate_inp mlp.gate"));

    static readonly ImmutableDictionary<string, string> s_mixtral = s_layer.AddRange(Names("ffn_gate_inp block_sparse_moe.gate"));

    static readonly ImmutableDictionary<string, string> s_gptOss = s_layer.Remove("post_attention_layernorm").AddRange(Names(
        "post_attention_norm post_attention_layernorm", "ffn_gate_inp mlp.router", "attn_sinks self_attn.sinks"));

    static readonly ImmutableDictionary<string, string> s_whole =
        Names("token_embd model.embed_tokens", "output_norm model.norm", "output lm_head");

    static readonly ImmutableSortedDictionary<string, HubFamily> s_all = new Dictionary<string, HubFamily>
    {
        ["llama"] = new("llama"),
        ["mistral"] = new("llama"),
        ["ministral3"] = new("mistral3"),
        ["smollm3"] = new("smollm3"),
        ["granite"] = new("granite"),
        ["glm4"] = new("glm4") { Layer = s_glm4 },
        ["olmo2"] = new("olmo2") { Layer = s_olmo2 },
        ["olmo3"] = new("olmo2") { Layer = s_olmo2 },
        ["qwen2"] = new("qwen2"),
        ["qwen3"] = new("qwen3"),
        ["qwen3_moe"] = new("qwen3moe") { Layer = s_qwen3Moe },
        ["mixtral"] = new("llama") { Layer = s_mixtral },
        ["gpt_oss"] = new("gpt-oss") { Layer = s_gptOss },
        ["phi3"] = new("phi3") { Layer = s_phi3 },
        ["gemma"] = new("gemma") { NormsLackOne = true },
        ["gemma2"] = new("gemma2") { NormsLackOne = true, Layer = s_gemma2 },
        ["gemma3_text"] = new("gemma3") { NormsLackOne = true, Layer = s_gemma2 },
    }.ToImmutableSortedDictionary(StringComparer.Ordinal);

    /// <summary>
    /// Names that hold nothing that a language model computes with: a table that is computed, and other parts of a larger model.
    /// </summary>
    static readonly string[] s_ignored =
        ["rotary_emb.inv_freq", "mtp.", "visual.", "vision_tower.", "vision_model.", "multi_modal_projector.", "audio_tower."];

    /// <summary>Whether norms multiply with one more than what is stored.</summary>
    public bool NormsLackOne { get; private init; }

    /// <summary>What GGUF calls a part of a layer, by its name here.</summary>
    ImmutableDictionary<string, string> Layer { get; init; } = s_layer;

    /// <summary>All names, for messages.</summary>
    public static string Known => string.Join(", ", s_all.Keys);

    /// <summary>The family of a name; null for one that is not known.</summary>
    public static HubFamily? Find(string type) => s_all.GetValueOrDefault(type);

    /// <summary>
    /// GGUF's name of a tensor; its own where none is known, so that it is refused by that, and null where it is to be left alone.
    /// </summary>
    public string? NameOf(string stored)
    {
        string name = WithoutPrefix(stored);
        if (name.EndsWith(".self_attn.sinks", StringComparison.Ordinal))
            name += ".weight"; // the only tensor without
        if (s_ignored.Any(part => name.StartsWith(part, StringComparison.Ordinal) || name.EndsWith("." + part, StringComparison.Ordinal)))
            return null;
        int dot = name.LastIndexOf('.');
        if (dot < 0 || name[(dot + 1)..] is not ("weight" or "bias"))
            return stored;
        if (s_whole.TryGetValue(name[..dot], out string? whole))
            return whole + name[dot..];
        return name[..dot].Split('.', 4) is ["model", "layers", string layer, string rest] && Layer.TryGetValue(rest, out string? part)
            ? $"blk.{layer}.{part}{name[dot..]}"
            : stored;
    }

    /// <summary>What comes before the names in models that see pictures, too.</summary>
    static string WithoutPrefix(string name)
    {
        foreach (string prefix in (string[])["model.language_model.", "language_model.model."])
            if (name.StartsWith(prefix, StringComparison.Ordinal))
                return "model." + name[prefix.Length..];
        return name.StartsWith("language_model.", StringComparison.Ordinal) ? name["language_model.".Length..]
            : name.StartsWith("model.visual.", StringComparison.Ordinal) || name.StartsWith("model.vision_tower.", StringComparison.Ordinal)
            || name.StartsWith("model.multi_modal_projector.", StringComparison.Ordinal) ? name["model.".Length..]
            : name;
    }

    static ImmutableDictionary<string, string> Names(params ReadOnlySpan<string> pairs)
    {
        var names = ImmutableDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        foreach (string pair in pairs)
            names[pair[(pair.IndexOf(' ', StringComparison.Ordinal) + 1)..]] = pair[..pair.IndexOf(' ', StringComparison.Ordinal)];
        return names.ToImmutable();
    }
}
