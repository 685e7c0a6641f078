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

    /// <summary>Whether queries and keys are normalised before they are rotated: each head's, or those of all heads as one.</summary>
    public bool HasQkNorm { get; init; }

    /// <summary>Where they are normalised, whether the queries of all heads are one vector, and the keys another: OLMo 2.</summary>
    public bool NormsHeadsAsOne { get; init; }

    /// <summary>How queries grow with their position; null where they do not.</summary>
    public QueryTemperature? Temperature { get; init; }

    /// <summary>What scores are multiplied with; null for <c>1 / sqrt(key dim)</c>.</summary>
    public float? Scale { get; init; }

    /// <summary>The c of scores that are held by <c>c · tanh(score / c)</c>; null for none.</summary>
    public float? Softcap { get; init; }

    /// <summary>
    /// Whether each query head has a sink, a score that takes its share of the softmax and has no value (Xiao et al., 2023,
    /// https://arxiv.org/abs/2309.17453, here learned, as gpt-oss has them).
    /// </summary>
    public bool HasSinks { get; init; }

    /// <summary>Whether one latent is both key and value (MLA; DeepSeek-AI, 2024, https://arxiv.org/abs/2405.04434).</summary>
    public bool IsLatent => ValueDim == 0;

    /// <summary>Elements kept for one token by a layer that owns its keys and values.</summary>
    public long Elements => KvHeads * ((long)KeyDim + ValueDim);
}

/// <summary>
/// Queries far behind are multiplied with <c>1 + scale · ln(1 + ⌊position / every⌋)</c>, so that attention to many positions stays as sharp
/// as to few: Nakanishi, 2025, https://arxiv.org/abs/2501.19399, in the form of Llama 4 and Ministral 3.
/// </summary>
/// <param name="Scale">How much.</param>
/// <param name="Every">After how many positions each step comes.</param>
public sealed record QueryTemperature(float Scale, int Every)
{
    /// <summary>What a query at a position is multiplied with.</summary>
    public float At(int position) => (float)(1 + Scale * Math.Log(1 + position / Every));
}
