using System.Collections.Immutable;

namespace Kvasir.Planning.Sizing;

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
/// What one <c>model_type</c> of Hugging Face configurations means: what follows from the name rather than from a field. The facts are those of the classes in
/// <see href="https://github.com/huggingface/transformers"/>. A name that is not here is refused, since an unknown kind of cache cannot be guessed.
/// </summary>
sealed record HfFamily
{
    static readonly ImmutableDictionary<string, int> s_gemma3 = ImmutableDictionary.CreateRange(new KeyValuePair<string, int>[]
    {
        new("vocab_size", 262_208), new("hidden_size", 2304), new("intermediate_size", 9216), new("num_hidden_layers", 26), new("num_attention_heads", 8),
        new("num_key_value_heads", 4), new("head_dim", 256), new("max_position_embeddings", 131_072), new("sliding_window", 4096), new("sliding_window_pattern", 6),
    });

    static readonly ImmutableDictionary<string, int> s_gemma3n = ImmutableDictionary.CreateRange(new KeyValuePair<string, int>[]
    {
        new("vocab_size", 262_400), new("hidden_size", 2048), new("num_hidden_layers", 35), new("num_attention_heads", 8), new("num_key_value_heads", 2),
        new("head_dim", 256), new("max_position_embeddings", 32_768), new("sliding_window", 512), new("num_kv_shared_layers", 15),
    });

    static readonly ImmutableDictionary<string, HfFamily> s_all = new Dictionary<string, HfFamily>
    {
        ["llama"] = new() { KvHeadsMayBeMissing = true },
        ["mistral"] = new() { Windows = WindowRule.Everywhere, Defaults = One("sliding_window", 4096) },
        ["mixtral"] = new() { Windows = WindowRule.Everywhere },
        ["phi3"] = new() { Windows = WindowRule.Everywhere, KvHeadsMayBeMissing = true },
        ["qwen2"] = new() { Windows = WindowRule.FromLayer, HasQkvBias = true },
        ["qwen3"] = new() { Windows = WindowRule.FromLayer, HasQkNorm = true, Defaults = One("head_dim", 128) },
        ["qwen3_moe"] = new() { Windows = WindowRule.FromLayer, HasQkNorm = true },
        ["gemma"] = new() { IsTied = true, Defaults = One("head_dim", 256) },
        ["gemma2"] = new() { Windows = WindowRule.AllButEvery, Pattern = 2, Norms = 4, IsTied = true, Defaults = One("head_dim", 256).Add("sliding_window", 4096) },
        ["gemma3_text"] = new() { Windows = WindowRule.AllButEvery, Pattern = 6, Norms = 4, HasQkNorm = true, IsTied = true, Defaults = s_gemma3 },
        ["gemma3n_text"] = new() { Windows = WindowRule.AllButEvery, Pattern = 5, IsCounted = false, Defaults = s_gemma3n },
        ["gpt_oss"] = new() { Windows = WindowRule.AllButEvery, Pattern = 2, HasSinksAndBiases = true, Defaults = One("head_dim", 64) },
        ["deepseek_v2"] = new() { IsLatent = true },
        ["deepseek_v3"] = new() { IsLatent = true, HasRouterBias = true },
        ["cohere"] = new() { Norms = 1, IsTied = true, KvHeadsMayBeMissing = true },
        ["cohere2"] = new() { Windows = WindowRule.AllButEvery, Pattern = 4, Norms = 1, IsTied = true, KvHeadsMayBeMissing = true, Defaults = One("sliding_window", 4096) },
        ["falcon"] = new() { IsFalcon = true, IsTied = true, Defaults = One("max_position_embeddings", 2048) },
    }.ToImmutableDictionary();

    /// <summary>Every known <c>model_type</c>, in order.</summary>
    public static IEnumerable<string> Names => s_all.Keys.Order(StringComparer.Ordinal);

    /// <summary>Which layers slide.</summary>
    public WindowRule Windows { get; private init; }

    /// <summary>Every so many layers one attends to everything, unless <c>sliding_window_pattern</c> or <c>layer_types</c> says otherwise.</summary>
    public int Pattern { get; private init; }

    /// <summary>Norms of a layer as wide as the residual stream.</summary>
    public int Norms { get; private init; } = 2;

    /// <summary>A norm over each head of queries and keys.</summary>
    public bool HasQkNorm { get; private init; }

    /// <summary>Biases of queries, keys and values, without a field that says so.</summary>
    public bool HasQkvBias { get; private init; }

    /// <summary>A sink for each query head, and biases of router and experts, as gpt-oss has them.</summary>
    public bool HasSinksAndBiases { get; private init; }

    /// <summary>A correction for each expert in the choice of experts.</summary>
    public bool HasRouterBias { get; private init; }

    /// <summary>The output matrix is the embedding, unless <c>tie_word_embeddings</c> says otherwise.</summary>
    public bool IsTied { get; private init; }

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
