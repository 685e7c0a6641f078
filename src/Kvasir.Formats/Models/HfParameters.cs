using System.Collections.Immutable;
using System.Numerics;

namespace Kvasir.Formats.Models;

/// <summary>Counts the parameters of a language model from its configuration.</summary>
sealed class HfParameters(
    ConfigFields fields, HfFamily family, HfExperts experts, int width, int vocabulary, ImmutableArray<LayerSpec> layers)
{
    /// <summary>
    /// All parameters, those of the matrices that one token is multiplied with, and the experts that some of them belong to.
    /// </summary>
    /// <exception cref="ModelFormatException">A field that counts is missing or absurd, or the fields contradict each other.</exception>
    public (long All, long Active, ExpertSpec? Experts) Count()
    {
        try
        {
            checked
            {
                long embedding = (long)vocabulary * width, all = embedding + FinalNorm, active = embedding, ofExperts = 0;
                if (!fields.Flag("tie_word_embeddings", family.Family.IsTied))
                    all += embedding;
                foreach ((AttentionSpec shape, FeedForwardSpec wide) in layers.Select(layer => (layer.Attention!, layer.FeedForward!)))
                {
                    (long Matrices, long Vectors) attention = family.IsLatent ? Latent(shape.Heads) : Attention(shape);
                    (long All, long Active, long Experts) network = wide.Experts > 0 ? Mixture(wide) : Dense(wide);
                    all += attention.Matrices + attention.Vectors + Norms + network.All;
                    active += attention.Matrices + network.Active;
                    ofExperts += network.Experts;
                }
                return (all, active, ofExperts > 0 ? new ExpertSpec(experts.Routing(), ofExperts) : null);
            }
        }
        catch (OverflowException)
        {
            throw fields.Invalid("num_hidden_layers", $"{layers.Length} layers of such widths", "fewer than 2^63 parameters");
        }
    }

    long FinalNorm => family.IsFalcon ? 2L * width : width;

    // Falcon's norms have biases, and its large models one each for attention and network.
    long Norms => BitOperations.PopCount((uint)layers[0].Norms) * (family.IsFalcon ? 2L : 1) * width;

    (long, long) Attention(AttentionSpec layer)
    {
        long query = (long)layer.Heads * layer.KeyDim, key = (long)layer.KvHeads * layer.KeyDim, vectors = 0;
        if (fields.Flag(family.IsFalcon ? "bias" : "attention_bias", family.HasSinksAndBiases))
            vectors += query + 2 * key + width;
        else if (family.HasQkvBias)
            vectors += query + 2 * key;
        if (family.HasSinksAndBiases)
            vectors += layer.Heads;
        if (family.Family.HasQkNorm)
            vectors += family.Family.NormsHeadsAsOne ? query + key : 2 * layer.KeyDim;
        if (fields.Flag("use_qk_norm"))
            vectors += query + key;
        return (width * (2 * query + 2 * key), vectors);
    }

    /// <summary>
    /// MLA (DeepSeek-AI, 2024, https://arxiv.org/abs/2405.04434): queries through a latent of their own where there is one, keys and values
    /// through theirs.
    /// </summary>
    (long, long) Latent(int heads)
    {
        long nope = fields.Count("qk_nope_head_dim"), rope = fields.Count("qk_rope_head_dim"), value = fields.Count("v_head_dim");
        long rank = fields.Count("kv_lora_rank"), queryRank = fields.Optional("q_lora_rank") ?? 0;
        long query = heads * (nope + rope) * (queryRank == 0 ? width : queryRank) + queryRank * width;
        return checked((query + width * (rank + rope) + rank * heads * (nope + value) + heads * value * width, queryRank + rank));
    }

    (long, long, long) Dense(FeedForwardSpec network)
    {
        long wide = network.Width, matrices = (network.IsGated ? 3 : 2) * width * wide;
        if (family.IsFalcon)
            return (matrices + (fields.Flag("bias") ? width + wide : 0), matrices, 0);
        return (matrices + (fields.Flag("mlp_bias") ? 2 * wide + width : 0), matrices, 0);
    }

    (long, long, long) Mixture(FeedForwardSpec network)
    {
        checked
        {
            ExpertRouting routing = experts.Routing();
            long wide = network.Width, expert = 3 * width * wide;
            long always = routing.All * (long)width + expert * (fields.Optional("n_shared_experts", HfExperts.Most, least: 0) ?? 0);
            long vectors = family.HasSinksAndBiases ? routing.All * (1 + 2 * wide + width) : family.HasRouterBias ? routing.All : 0;
            return (always + routing.All * expert + vectors, always + routing.Chosen * expert, routing.All * expert);
        }
    }
}
