using System.Collections.Immutable;

namespace Kvasir.Planning.Sizing;

/// <summary>What sizes and speeds of a model follow from: its dimensions, without its weights.</summary>
public sealed record ModelSpec
{
    /// <summary>Name as its publisher or file gives it.</summary>
    public required string Name { get; init; }

    /// <summary>Where the dimensions come from: a file, or the catalogue and its source.</summary>
    public required string Source { get; init; }

    /// <summary>Architecture as the source names it.</summary>
    public required string Architecture { get; init; }

    /// <summary>Tokens of context that the model was trained for.</summary>
    public required int Context { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int Width { get; init; }

    /// <summary>Entries of the vocabulary.</summary>
    public required int Vocabulary { get; init; }

    /// <summary>What attention does in each layer, and what it keeps.</summary>
    public required ImmutableArray<AttentionSpec> Layers { get; init; }

    /// <summary>All parameters, the embedding included; null when the source does not say enough.</summary>
    public required long? Parameters { get; init; }

    /// <summary>
    /// Parameters that one token is multiplied with: of a mixture of experts those of the chosen ones, and never the embedding, of which a token only reads a row (its
    /// second use as the output matrix counts). Null when the source does not say enough.
    /// </summary>
    public required long? ActiveParameters { get; init; }

    /// <summary>The experts of a mixture; null for a model without any.</summary>
    public ExpertSpec? Experts { get; init; }

    /// <summary>Bytes of the weights as they are stored; null when the source does not hold them.</summary>
    public long? WeightBytes { get; init; }

    /// <summary>What a reader should know of how the dimensions were found: defaults that were taken, an architecture that was assumed.</summary>
    public ImmutableArray<string> Notes { get; init; } = [];
}

/// <summary>The attention of one layer.</summary>
/// <param name="Heads">Query heads.</param>
/// <param name="KvHeads">Heads of the keys and values that are kept: 1 for MQA and for the latent of MLA.</param>
/// <param name="KeyDim">Elements of a key that is kept. For MLA those of the latent and of the rotated part together.</param>
/// <param name="ValueDim">Elements of a value that is kept; 0 for MLA, whose latent is both.</param>
/// <param name="Window">Tokens that the layer attends to, the current one included; null for all.</param>
/// <param name="Producer">The layer whose keys and values this one reads: itself, unless layers share.</param>
public sealed record AttentionSpec(int Heads, int KvHeads, int KeyDim, int ValueDim, int? Window, int Producer)
{
    /// <summary>Elements kept for one token by a layer that owns its keys and values.</summary>
    public long Elements => KvHeads * ((long)KeyDim + ValueDim);
}
