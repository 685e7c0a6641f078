using System.Text.RegularExpressions;

namespace Kvasir.Formats.Models;

/// <summary>
/// Fields whose names say that an architecture keeps something else than keys and values of every token in every layer: windows, shared or
/// recurrent layers, latents, other numbers of heads. Of an architecture that is not known, nobody knows what they do to its cache.
/// </summary>
static partial class TellingFields
{
    /// <summary>What Llama's description takes in itself, or what says nothing about the cache in spite of its name.</summary>
    static readonly HashSet<string> s_known =
    [
        "num_key_value_heads", "layer_types", "sliding_window", "head_count_kv", "use_sliding_window", "max_window_layers",
        "num_kv_shared_layers", "kv_lora_rank",
    ];

    /// <summary>Whether a name, without what stands before its last dot, says so.</summary>
    public static bool IsTelling(string name) =>
        name[(name.LastIndexOf('.') + 1)..] is var last && !s_known.Contains(last) && !Harmless().IsMatch(last) && Telling().IsMatch(name);

    [GeneratedRegex("expert|embed|dropout|init|lora_alpha", RegexOptions.IgnoreCase)]
    private static partial Regex Harmless();

    [GeneratedRegex("window|chunk|interval|period|pattern|stride|block_?types?|layers?_(block_)?types?|multi_?query|_mqa|query_group|kv_group"
        + "|(kv|key_value)_(n_)?heads?|heads?_kv|n_kv|kv_n|attention_types|attn_type|attention_type|shar(e|ed|ing)|cla_|use_cla|lora_rank|latent"
        + "|(^|_)mla(_|$)|mamba|(^|[._])ssm|state|conv|linear_(attn|attention|key|num|value)|recurren|rwkv|wkv|time_mix|hybrid"
        + "|(local|global)_(att|layer|window)|attn_layer|attention_layers?|attn_every|sparse|encoder|cross_att|indexer|compress|retention"
        + "|memory|(^|_)lru|delta_rule|hyena|no_attention|skip_attention", RegexOptions.IgnoreCase)]
    private static partial Regex Telling();
}
