namespace Kvasir.Formats.Models;

/// <summary>The attention of one layer.</summary>
/// <param name="Heads">Query heads.</param>
/// <param name="KvHeads">
/// Heads of the keys and values that are kept; query heads share them in groups of <c>Heads / KvHeads</c> (GQA). 1 for MQA and for the
/// latent of MLA.
/// </param>
/// <param name="KeyDim">
/// Elements of a head's key that is kept, and of its query; not always <c>width / heads</c>. For MLA those of the latent and of the rotated
/// part together.
/// </param>
/// <param name="ValueDim">Elements of a head's value that is kept; 0 for MLA, whose latent is both.</param>
/// <param name="Window">Tokens that the layer attends to, the current one included; null for all.</param>
/// <param name="Producer">
/// The layer whose keys and values this one reads: itself, or an earlier one (Brandon et al., 2024, https://arxiv.org/abs/2405.12981).
/// </param>
public sealed record AttentionSpec(int Heads, int KvHeads, int KeyDim, int ValueDim, int? Window, int Producer)
{
    /// <summary>How positions rotate queries and keys; null where they do not.</summary>
    public RopeSpec? Rope { get; init; }

    /// <summary>Whether each head's query and key is normalised before it is rotated.</summary>
    public bool HasQkNorm { get; init; }

    /// <summary>What scores are multiplied with; null for <c>1 / sqrt(key dim)</c>.</summary>
    public float? Scale { get; init; }

    /// <summary>The c of scores that are held by <c>c · tanh(score / c)</c>; null for none.</summary>
    public float? Softcap { get; init; }

    /// <summary>Whether one latent is both key and value (MLA; DeepSeek-AI, 2024, https://arxiv.org/abs/2405.04434).</summary>
    public bool IsLatent => ValueDim == 0;

    /// <summary>Elements kept for one token by a layer that owns its keys and values.</summary>
    public long Elements => KvHeads * ((long)KeyDim + ValueDim);
}
