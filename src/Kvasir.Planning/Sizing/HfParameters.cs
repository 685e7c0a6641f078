using System.Collections.Immutable;

namespace Kvasir.Planning.Sizing;

/// <summary>Counts the parameters of a language model from its configuration.</summary>
sealed class HfParameters(ConfigFields fields, HfFamily family, int width, int vocabulary, ImmutableArray<AttentionSpec> layers)
{
    const int MostExperts = 1 << 16;

    readonly int? _experts = fields.Optional("num_local_experts", MostExperts) ?? fields.Optional("num_experts", MostExperts) ?? fields.Optional("n_routed_experts", MostExperts);

    /// <summary>All parameters, those of the matrices that one token is multiplied with, and the experts that some of them belong to.</summary>
    /// <exception cref="Formats.ModelFormatException">A field that counts is missing or absurd, or the fields contradict each other.</exception>
    public (long All, long Active, ExpertSpec? Experts) Count()
    {
        try
        {
            checked
            {
                long embedding = (long)vocabulary * width, all = embedding + FinalNorm, active = embedding, experts = 0;
                if (!fields.Flag("tie_word_embeddings", family.IsTied))
                    all += embedding;
                for (int layer = 0; layer < layers.Length; layer++)
                {
                    (long Matrices, long Vectors) attention = family.IsLatent ? Latent(layers[layer].Heads) : Attention(layers[layer]);
                    (long All, long Active, long Experts) network = IsMixture(layer) ? Mixture() : Dense();
                    all += attention.Matrices + attention.Vectors + Norms + network.All;
                    active += attention.Matrices + network.Active;
                    experts += network.Experts;
                }
                return (all, active, experts > 0 ? new ExpertSpec(Routing(), experts) : null);
            }
        }
        catch (OverflowException)
        {
            throw fields.Invalid("num_hidden_layers", $"{layers.Length} layers of such widths", "fewer than 2^63 parameters");
        }
    }

    long FinalNorm => family.IsFalcon ? 2L * width : width;

    // Falcon's norms have biases, and its large models one each for attention and network.
    long Norms => !family.IsFalcon ? (long)family.Norms * width : 2L * width * (fields.Flag("new_decoder_architecture") || !fields.Flag("parallel_attn", true) ? 2 : 1);

    (long, long) Attention(AttentionSpec layer)
    {
        long query = (long)layer.Heads * layer.KeyDim, key = (long)layer.KvHeads * layer.KeyDim, vectors = 0;
        if (fields.Flag(family.IsFalcon ? "bias" : "attention_bias", family.HasSinksAndBiases))
            vectors += query + 2 * key + width;
        else if (family.HasQkvBias)
            vectors += query + 2 * key;
        if (family.HasSinksAndBiases)
            vectors += layer.Heads;
        if (family.HasQkNorm)
            vectors += 2 * layer.KeyDim;
        if (fields.Flag("use_qk_norm"))
            vectors += query + key;
        return (width * (2 * query + 2 * key), vectors);
    }

    /// <summary>MLA (DeepSeek-AI, 2024, https://arxiv.org/abs/2405.04434): queries through a latent of their own where there is one, keys and values through theirs.</summary>
    (long, long) Latent(int heads)
    {
        long nope = fields.Count("qk_nope_head_dim"), rope = fields.Count("qk_rope_head_dim"), value = fields.Count("v_head_dim");
        long rank = fields.Count("kv_lora_rank"), queryRank = fields.Optional("q_lora_rank") ?? 0;
        long query = heads * (nope + rope) * (queryRank == 0 ? width : queryRank) + queryRank * width;
        return checked((query + width * (rank + rope) + rank * heads * (nope + value) + heads * value * width, queryRank + rank));
    }

    (long, long, long) Dense()
    {
        if (family.IsFalcon)
        {
            long hidden = fields.Optional("ffn_hidden_size") ?? 4L * width;
            return (2 * width * hidden + (fields.Flag("bias") ? width + hidden : 0), 2 * width * hidden, 0);
        }
        long wide = fields.Count("intermediate_size"), matrices = 3 * width * wide;
        return (matrices + (fields.Flag("mlp_bias") ? 2 * wide + width : 0), matrices, 0);
    }

    (long, long, long) Mixture()
    {
        checked
        {
            long experts = Routing().All, used = Routing().Chosen;
            long wide = fields.Optional("moe_intermediate_size") ?? fields.Count("intermediate_size"), expert = 3 * width * wide;
            long always = experts * width + expert * (fields.Optional("n_shared_experts", MostExperts, least: 0) ?? 0);
            long vectors = family.HasSinksAndBiases ? experts * (1 + 2 * wide + width) : family.HasRouterBias ? experts : 0;
            return (always + experts * expert + vectors, always + used * expert, experts * expert);
        }
    }

    ExpertRouting Routing()
    {
        int experts = _experts!.Value, used = fields.Count("num_experts_per_tok", MostExperts);
        return used <= experts ? new ExpertRouting(used, experts) : throw fields.Invalid("num_experts_per_tok", $"{used}", $"at most the {experts} experts");
    }

    bool IsMixture(int layer) => _experts is not null
        && layer >= (fields.Optional("first_k_dense_replace", layers.Length, least: 0) ?? 0)
        && layer % (fields.Optional("moe_layer_freq", layers.Length) ?? 1) == 0
        && (layer + 1) % (fields.Optional("decoder_sparse_step", layers.Length) ?? 1) == 0
        && !fields.LayerNumbers("mlp_only_layers").Contains(layer);
}
