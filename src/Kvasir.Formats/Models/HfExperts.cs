namespace Kvasir.Formats.Models;

/// <summary>Which layers of a configuration are mixtures of experts, and how tokens choose from them.</summary>
sealed class HfExperts(ConfigFields fields, int layers)
{
    /// <summary>More experts than any model has.</summary>
    public const int Most = 1 << 16;

    readonly int? _all =
        fields.Optional("num_local_experts", Most) ?? fields.Optional("num_experts", Most) ?? fields.Optional("n_routed_experts", Most);

    /// <summary>The experts of a layer; 0 where all tokens share a network.</summary>
    public int In(int layer) => _all is { } all
        && layer >= (fields.Optional("first_k_dense_replace", layers, least: 0) ?? 0)
        && layer % (fields.Optional("moe_layer_freq", layers) ?? 1) == 0
        && (layer + 1) % (fields.Optional("decoder_sparse_step", layers) ?? 1) == 0
        && !fields.LayerNumbers("mlp_only_layers").Contains(layer) ? all : 0;

    /// <summary>How many of how many a token chooses, in a configuration that has any.</summary>
    public ExpertRouting Routing()
    {
        int all = _all!.Value, used = fields.Count("num_experts_per_tok", Most);
        return used <= all
            ? new ExpertRouting(used, all)
            : throw fields.Invalid("num_experts_per_tok", $"{used}", $"at most the {all} experts");
    }
}
