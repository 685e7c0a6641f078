using Kvasir.Inference.ExtensionsAI;
using Kvasir.Inference.Scheduling;
using Microsoft.Extensions.AI;

namespace Kvasir.Inference;

/// <summary>
/// An engine as Microsoft.Extensions.AI's embedding generator: the final hidden state after a text, of length 1. Texts with a common
/// beginning share its keys and values. <c>AdditionalProperties["cache_salt"]</c> is as with <see cref="KvasirChatClient"/>.
/// </summary>
public sealed class KvasirEmbeddingGenerator : IEmbeddingGenerator<string, Embedding<float>>
{
    const int AtOnce = 64; // texts under way, far fewer than an engine lets wait

    readonly OwnedEngine _engine;
    readonly EmbeddingGeneratorMetadata _metadata;

    /// <summary>A generator on an engine that others may use as well.</summary>
    /// <param name="engine">The engine; must outlive the generator.</param>
    /// <param name="ownsEngine">Whether disposing the generator disposes the engine. Its model stays the caller's.</param>
    public KvasirEmbeddingGenerator(InferenceEngine engine, bool ownsEngine = false)
        : this(new OwnedEngine(engine ?? throw new ArgumentNullException(nameof(engine)), ownsEngine ? [engine] : [])) { }

    KvasirEmbeddingGenerator(OwnedEngine engine)
    {
        _engine = engine;
        _metadata = new EmbeddingGeneratorMetadata("kvasir", providerUri: null, engine.ModelId, Width);
    }

    int Width => _engine.Engine.Model.Config.Width;

    /// <summary>Loads a model. Disposing the generator frees it.</summary>
    /// <param name="path">A GGUF file; null for the embedded model.</param>
    /// <param name="options">Sizes and settings of the engine; null for what they are by default.</param>
    /// <exception cref="Formats.ModelFormatException">The file is missing, damaged or of an unknown kind.</exception>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static KvasirEmbeddingGenerator Load(string? path = null, EngineOptions? options = null) => new(OwnedEngine.Load(path, options));

    /// <summary>The vectors of texts, in their order.</summary>
    /// <exception cref="ArgumentException">A text is empty, an option out of its range, or another model's name.</exception>
    /// <exception cref="ContextExceededException">A text does not fit.</exception>
    /// <exception cref="QueueFullException">As many calls wait as may.</exception>
    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<string> values,
        EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        _engine.CheckModel(options?.ModelId);
        int dimensions = options?.Dimensions is { } wanted
            ? wanted is >= 1 && wanted <= Width ? wanted : throw new ArgumentException($"Dimensions: {wanted}, expected 1 to {Width}")
            : Width;
        byte[] salt = CallReader.Salt(options?.AdditionalProperties);
        List<GenerationResult> results = [];
        foreach (string[] texts in values.Chunk(AtOnce))
            results.AddRange(await Compute(texts, salt, cancellationToken).ConfigureAwait(false));
        DateTimeOffset now = DateTimeOffset.UtcNow;
        return new(results.Select(result => new Embedding<float>(TextEmbedding.Of(result, dimensions))
        {
            ModelId = _engine.ModelId, CreatedAt = now,
        }))
        { Usage = TokenUsage.Of(results) };
    }

    async Task<GenerationResult[]> Compute(string[] texts, byte[] salt, CancellationToken cancellation)
    {
        using var abandoned = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            Task<GenerationResult>[] started = [.. texts.Select(text => Start(text, salt, abandoned.Token).Result)];
            GenerationResult[] results = await Task.WhenAll(started).WaitAsync(cancellation).ConfigureAwait(false);
            return Array.Exists(results, result => result.FinishReason == FinishReason.Cancelled)
                ? throw new OperationCanceledException(cancellation)
                : results;
        }
        finally
        {
            await abandoned.CancelAsync().ConfigureAwait(false);
        }
    }

    Completion Start(string text, byte[] salt, CancellationToken cancellation) =>
        _engine.Engine.Start(_engine.Engine.Model.Tokenizer.EncodePrompt(text), TextEmbedding.Options, salt, cancellation);

    /// <summary>
    /// The generator's metadata, the generator, its <see cref="InferenceEngine"/>, the engine's
    /// <see cref="KvCache.TieredKvCache"/>, or its model.
    /// </summary>
    public object? GetService(Type serviceType, object? serviceKey = null) => _engine.Service(serviceType, serviceKey, _metadata, this);

    /// <summary>Frees what the generator owns; calls under way end as cancelled.</summary>
    public void Dispose() => _engine.Dispose();
}
