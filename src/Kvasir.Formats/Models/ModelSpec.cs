using System.Collections.Immutable;
using Kvasir.Formats.Gguf;

namespace Kvasir.Formats.Models;

/// <summary>
/// What a decoder-only transformer is, without its weights: what its keys and values take, how fast it can be and how it is computed follow
/// from that. It says what a file describes, not what somebody is able to compute.
/// </summary>
public sealed record ModelSpec
{
    /// <summary>Name as its publisher or file gives it.</summary>
    public required string Name { get; init; }

    /// <summary>Where the description comes from: a file, or a catalogue and its source.</summary>
    public required string Source { get; init; }

    /// <summary>Architecture as the source names it.</summary>
    public required string Architecture { get; init; }

    /// <summary>Tokens of context that the model was trained for.</summary>
    public required int Context { get; init; }

    /// <summary>Width of the residual stream, d.</summary>
    public required int Width { get; init; }

    /// <summary>Entries of the vocabulary.</summary>
    public required int Vocabulary { get; init; }

    /// <summary>The layers in order; they may differ in everything but the width.</summary>
    public required ImmutableArray<LayerSpec> Layers { get; init; }

    /// <summary>How all norms are computed, that of the output included.</summary>
    public NormSpec Norm { get; init; } = new(NormKind.Rms, null);

    /// <summary>What embeddings are multiplied with; null for nothing.</summary>
    public float? EmbeddingScale { get; init; }

    /// <summary>What each sublayer's result is multiplied with before it is added to the residual stream; null for nothing.</summary>
    public float? ResidualScale { get; init; }

    /// <summary>What logits are multiplied with; null for nothing.</summary>
    public float? LogitScale { get; init; }

    /// <summary>The c of logits that are held by <c>c · tanh(logit / c)</c>; null for none.</summary>
    public float? LogitSoftcap { get; init; }

    /// <summary>Whether the output matrix is the embedding.</summary>
    public bool IsTied { get; init; }

    /// <summary>What the model does that no field of this description is for, in words; null for nothing.</summary>
    public string? Beyond { get; init; }

    /// <summary>All parameters, the embedding included; null when the source does not say enough.</summary>
    public required long? Parameters { get; init; }

    /// <summary>
    /// Parameters that one token is multiplied with: of a mixture of experts those of the chosen ones, and never the embedding, of which a
    /// token only reads a row (its second use as the output matrix counts). Null when the source does not say enough.
    /// </summary>
    public required long? ActiveParameters { get; init; }

    /// <summary>The experts of a mixture; null for a model without any.</summary>
    public ExpertSpec? Experts { get; init; }

    /// <summary>Bytes of the weights as they are stored; null when the source does not hold them.</summary>
    public long? WeightBytes { get; init; }

    /// <summary>What a reader should know of how this was found: defaults that were taken, an architecture that was assumed.</summary>
    public ImmutableArray<string> Notes { get; init; } = [];

    /// <summary>The attention of the layers that have any, in order.</summary>
    public IEnumerable<AttentionSpec> Attention => Layers.Select(layer => layer.Attention).OfType<AttentionSpec>();

    /// <summary>Reads the description of a GGUF file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="assumeLlama">Read an unknown architecture as if every layer kept a key and a value per KV head.</param>
    /// <exception cref="ModelFormatException">It contradicts itself, or is of an unknown architecture; one line names the key.</exception>
    public static ModelSpec From(IModelFile file, bool assumeLlama = false)
    {
        ArgumentNullException.ThrowIfNull(file);
        return new GgufModelReader(file, assumeLlama).Read();
    }

    /// <summary>Reads a Hugging Face <c>config.json</c>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="assumeLlama">Read an unknown architecture as if every layer kept a key and a value per KV head.</param>
    /// <exception cref="ModelFormatException">
    /// It cannot be read, is no such configuration, contradicts itself, or is of an unknown architecture; one line names the field.
    /// </exception>
    public static ModelSpec FromConfig(string path, bool assumeLlama = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return HfModelReader.ReadFile(path, assumeLlama);
    }
}
