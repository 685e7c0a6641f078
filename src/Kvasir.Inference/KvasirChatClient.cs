using System.Runtime.CompilerServices;
using Kvasir.Inference.Chat;
using Kvasir.Inference.ExtensionsAI;
using Kvasir.Inference.Sampling.Constraints.Schemas;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Templates;
using Microsoft.Extensions.AI;

namespace Kvasir.Inference;

/// <summary>
/// An engine as Microsoft.Extensions.AI's chat client. Any number of calls may be under way: they are computed together, and
/// what one has computed of a conversation the others, and its next turn, find in the cache. The client keeps no conversations:
/// each call brings all its messages.
/// </summary>
/// <remarks>
/// What a call leaves open has <see cref="Sampling.SamplingOptions"/>' values, so it takes the most likely tokens.
/// <c>AdditionalProperties["cache_salt"]</c>, a text, keeps what is computed under it to calls that say the same.
/// </remarks>
public sealed class KvasirChatClient : IChatClient
{
    readonly OwnedEngine _engine;
    readonly ChatPrompts _prompts;
    readonly ChatClientMetadata _metadata;

    /// <summary>A client of an engine that others may use as well.</summary>
    /// <param name="engine">The engine; must outlive the client.</param>
    /// <param name="ownsEngine">Whether disposing the client disposes the engine. Its model stays the caller's.</param>
    /// <exception cref="TemplateException">The model's chat template cannot be understood.</exception>
    public KvasirChatClient(InferenceEngine engine, bool ownsEngine = false)
        : this(new OwnedEngine(engine ?? throw new ArgumentNullException(nameof(engine)), ownsEngine ? [engine] : [])) { }

    KvasirChatClient(OwnedEngine engine)
    {
        _engine = engine;
        _prompts = new ChatPrompts(engine.Engine.Model.Tokenizer);
        _metadata = new ChatClientMetadata("kvasir", providerUri: null, engine.ModelId);
    }

    /// <summary>Loads a model. Disposing the client frees it.</summary>
    /// <param name="path">A GGUF file; null for the embedded model.</param>
    /// <param name="options">Sizes and settings of the engine; null for what they are by default.</param>
    /// <exception cref="Formats.ModelFormatException">The file is missing, damaged or of an unknown kind.</exception>
    /// <exception cref="TemplateException">The model's chat template cannot be understood.</exception>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static KvasirChatClient Load(string? path = null, EngineOptions? options = null)
    {
        OwnedEngine engine = OwnedEngine.Load(path, options);
        try
        {
            return new KvasirChatClient(engine);
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Answers a conversation. The raw representation is the <see cref="GenerationResult"/>, which says what the cache did.
    /// </summary>
    /// <exception cref="ArgumentException">An option is out of its range, or another model's name.</exception>
    /// <exception cref="NotSupportedException">A message or option asks for what the model cannot do, such as reading images.</exception>
    /// <exception cref="Sampling.Constraints.Schemas.JsonSchemaException">The schema of the answer cannot be held to.</exception>
    /// <exception cref="ToolSchemaException">A tool has to be called, and the schema of its arguments cannot be held to.</exception>
    /// <exception cref="ContextExceededException">The conversation does not fit.</exception>
    /// <exception cref="QueueFullException">As many calls wait as may.</exception>
    /// <exception cref="TemplateException">The model's chat template refuses the conversation.</exception>
    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in GetStreamingResponseAsync(messages, options, cancellationToken).ConfigureAwait(false))
            updates.Add(update);
        ChatResponse response = updates.ToChatResponse();
        response.RawRepresentation = updates[^1].RawRepresentation;
        return response;
    }

    /// <summary>
    /// The same, as it comes. The last update has usage, reason of the end and raw representation; whoever stops reading ends the answer.
    /// </summary>
    /// <inheritdoc cref="GetResponseAsync"/>
    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        _engine.CheckModel(options?.ModelId);
        return Answer(CallReader.Read(messages, options, _prompts), cancellationToken);
    }

    async IAsyncEnumerable<ChatResponseUpdate> Answer(ChatCall call, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var abandoned = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        AnswerUpdates updates = new(_engine.ModelId, call.Plan.NewReader(), call.TellsThoughts);
        try
        {
            Completion completion = _engine.Engine.Start(call.Plan.Prompt.Tokens, call.Options, call.Salt, abandoned.Token);
            await foreach (CompletionPiece piece in completion.Pieces.ReadAllAsync(cancellation).ConfigureAwait(false))
                foreach (ChatResponseUpdate update in updates.Of(piece))
                    yield return update;
            GenerationResult result = await completion.Result.ConfigureAwait(false);
            if (result.FinishReason == FinishReason.Cancelled)
                throw new OperationCanceledException(cancellation);
            foreach (ChatResponseUpdate update in updates.Of(result))
                yield return update;
        }
        finally
        {
            await abandoned.CancelAsync().ConfigureAwait(false);
        }
    }

    /// <summary>
    /// The client's metadata, the client, its <see cref="InferenceEngine"/>, the engine's
    /// <see cref="KvCache.TieredKvCache"/>, or its model.
    /// </summary>
    public object? GetService(Type serviceType, object? serviceKey = null) => _engine.Service(serviceType, serviceKey, _metadata, this);

    /// <summary>Frees what the client owns; calls under way end as cancelled.</summary>
    public void Dispose() => _engine.Dispose();
}
