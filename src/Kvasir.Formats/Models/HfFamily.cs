using System.Collections.Immutable;

namespace Kvasir.Formats.Models;

/// <summary>Which layers of an architecture slide when its configuration has a window.</summary>
enum WindowRule
{
    /// <summary>None: the field has no meaning there.</summary>
    None,

    /// <summary>All of them.</summary>
    Everywhere,

    /// <summary>All but every n-th.</summary>
    AllButEvery,

    /// <summary>Those from <c>max_window_layers</c> on, if <c>use_sliding_window</c> says so.</summary>
    FromLayer,
}

/// <summary>
/// What one <c>model_type</c> of Hugging Face configurations means: what follows from the name rather than from a field. The facts are
/// those of the classes in <see href="https://github.com/huggingface/transformers"/>. A name that is not here is refused, since an unknown
/// kind of cache cannot be guessed.
/// </summary>
/// <param name="Family">What both formats share.</param>
sealed record HfFamily(ModelFamily Family)
{
    static readonly ImmutableDictionary<string, int> s_gemma3 = ImmutableDictionary.CreateRange(new KeyValuePair<string, int>[]
    {
        new("vocab_size", 262_208), new("hidden_size", 2304), new("intermediate_size", 9216), new("num_hidden_layers", 26),
        new("num_attention_heads", 8), new("num_key_value_heads", 4), new("head_dim", 256), new("max_position_embeddings", 131_072),
        new("sliding_window", 4096), new("sliding_window_pattern", 6),
    });

    static readonly ImmutableDictionary<string, int> s_gemma3n = ImmutableDictionary.CreateRange(new KeyValuePair<string, int>[]
    {
        new("vocab_size", 262_400), new("hidden_size", 2048), new("num_hidden_layers", 35), new("num_attention_heads", 8),
        new("num_key_value_heads", 2), new("head_dim", 256), new("max_position_embeddings", 32_768), new("sliding_window", 512),
        new("num_kv_shared_layers", 15),
    });

    static readonly HfFamily s_cohere = new(ModelFamily.CommandR)
    {
        KvHeadsMayBeMissing = true, Rope = RopeStyle.Adjacent, EpsilonField = "layer_norm_eps", LogitScale = 0.0625f,
    };

    static readonly ImmutableDictionary<string, HfFamily> s_all = new Dictionary<string, HfFamily>
    {
        ["llama"] = new(ModelFamily.Llama) { KvHeadsMayBeMissing = true },
        ["mistral"] = new(ModelFamily.Llama) { Windows = WindowRule.Everywhere, Defaults = One("sliding_window", 4096) },
        ["ministral3"] = new(ModelFamily.Llama) { Windows = WindowRule.Everywhere },
        ["smollm3"] = new(ModelFamily.SmolLm3) { RopeBase = 2e6f },
        ["olmo2"] = new(ModelFamily.Olmo2),
        ["olmo3"] = new(ModelFamily.Olmo2) { Windows = WindowRule.AllButEvery },
        ["granite"] = new(ModelFamily.Granite),
        ["glm4"] = new(ModelFamily.Glm4) { Rope = RopeStyle.Adjacent, Rotates = 0.5f },
        ["mixtral"] = new(ModelFamily.Llama) { Windows = WindowRule.Everywhere, RopeBase = 1e6f, WeighsChosen = true },
        ["phi3"] = new(ModelFamily.Phi3) { Windows = WindowRule.Everywhere, KvHeadsMayBeMissing = true },
        ["qwen2"] = new(ModelFamily.Qwen2) { Windows = WindowRule.FromLayer, HasQkvBias = true },
        ["qwen3"] = new(ModelFamily.Qwen3) { Windows = WindowRule.FromLayer, Defaults = One("head_dim", 128) },
        ["qwen3_moe"] = new(ModelFamily.Qwen3) { Windows = WindowRule.FromLayer },
        ["gemma"] = new(ModelFamily.Gemma) { ActivationField = "hidden_activation", Defaults = One("head_dim", 256) },
        ["gemma2"] = new(ModelFamily.Gemma2)
        {
            Windows = WindowRule.AllButEvery,
            ActivationField = "hidden_activation",
            Softcap = 50,
            LogitSoftcap = 30,
            Defaults = One("head_dim", 256).Add("sliding_window", 4096),
        },
        ["gemma3_text"] = new(ModelFamily.Gemma3)
        {
            Windows = WindowRule.AllButEvery, ActivationField = "hidden_activation", RopeBase = 1e6f, Defaults = s_gemma3,
        },
        ["gemma3n_text"] = new(ModelFamily.Gemma3n)
        {
            Windows = WindowRule.AllButEvery, IsCounted = false, RopeBase = 1e6f, LogitSoftcap = 30, Defaults = s_gemma3n,
        },
        ["gpt_oss"] = new(ModelFamily.GptOss)
        {
            Windows = WindowRule.AllButEvery, HasSinksAndBiases = true, WeighsChosen = true, RopeBase = 150_000,
            Defaults = One("head_dim", 64),
        },
        ["deepseek_v2"] = new(ModelFamily.DeepSeek) { IsLatent = true, Rope = RopeStyle.Adjacent },
        ["deepseek_v3"] = new(ModelFamily.DeepSeek) { IsLatent = true, Rope = RopeStyle.Adjacent, HasRouterBias = true },
        ["cohere"] = s_cohere,
        ["cohere2"] = s_cohere with
        {
            Family = ModelFamily.Cohere2,
            Windows = WindowRule.AllButEvery,
            Defaults = One("sliding_window", 4096),
        },
        ["falcon"] = new(ModelFamily.Falcon)
        {
            IsFalcon = true, ActivationField = "activation", EpsilonField = "layer_norm_epsilon",
            Defaults = One("max_position_embeddings", 2048),
        },
    }.ToImmutableDictionary();

    /// <summary>Every known <c>model_type</c>, in order.</summary>
    public static IEnumerable<string> Names => s_all.Keys.Order(StringComparer.Ordinal);

    /// <summary>Which layers slide.</summary>
    public WindowRule Windows { get; private init; }

    /// <summary>Which elements are rotated together, as these files hold the weights.</summary>
    public RopeStyle Rope { get; private init; } = RopeStyle.Halves;

    /// <summary>Base of the rotary frequencies where the file leaves it out.</summary>
    public float RopeBase { get; private init; } = 10_000;

    /// <summary>Cap of the scores where the file leaves it out.</summary>
    public float? Softcap { get; private init; }

    /// <summary>Cap of the logits where the file leaves it out.</summary>
    public float? LogitSoftcap { get; private init; }

    /// <summary>Factor of the logits where the file leaves it out.</summary>
    public float? LogitScale { get; private init; }

    /// <summary>The field that names the activation.</summary>
    public string ActivationField { get; private init; } = "hidden_act";

    /// <summary>The field of the norms' epsilon.</summary>
    public string EpsilonField { get; private init; } = "rms_norm_eps";

    /// <summary>Biases of queries, keys and values, without a field that says so.</summary>
    public bool HasQkvBias { get; private init; }

    /// <summary>The share of a head that is rotated where the file leaves it out.</summary>
    public float Rotates { get; private init; } = 1;

    /// <summary>A sink for each query head, and biases of router and experts, as gpt-oss has them.</summary>
    public bool HasSinksAndBiases { get; private init; }

    /// <summary>Whether the weights of the experts that a token chooses sum up to 1, without a field that says so.</summary>
    public bool WeighsChosen { get; private init; }

    /// <summary>A correction for each expert in the choice of experts.</summary>
    public bool HasRouterBias { get; private init; }

    /// <summary>Keeps one latent of keys and values (MLA).</summary>
    public bool IsLatent { get; private init; }

    /// <summary>Falcon's own fields for heads and networks.</summary>
    public bool IsFalcon { get; private init; }

    /// <summary>Whether its parameters follow from the configuration.</summary>
    public bool IsCounted { get; init; } = true;

    /// <summary>As many KV heads as query heads where the field is missing: configurations older than GQA.</summary>
    public bool KvHeadsMayBeMissing { get; private init; }

    /// <summary>What the published code takes for fields that a file leaves out.</summary>
    public ImmutableDictionary<string, int> Defaults { get; private init; } = ImmutableDictionary<string, int>.Empty;

    /// <summary>The family of a name; null for one that is not known.</summary>
    public static HfFamily? Find(string name) => s_all.GetValueOrDefault(name);

    static ImmutableDictionary<string, int> One(string name, int value) => ImmutableDictionary<string, int>.Empty.Add(name, value);
}
