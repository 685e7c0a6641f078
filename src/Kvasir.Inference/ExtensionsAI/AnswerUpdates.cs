using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Chat.Answers;
using Kvasir.Inference.Scheduling;
using Microsoft.Extensions.AI;

namespace Kvasir.Inference.ExtensionsAI;

/// <summary>
/// Writes an answer as updates: thoughts, text and calls of tools as they come, and at the end what the answer took. A call comes when it
/// is
/// whole; one that was cut off does not.
/// </summary>
/// <param name="modelId">The model's name.</param>
/// <param name="reader">Reads the answer.</param>
/// <param name="tellsThoughts">Whether thoughts are told.</param>
sealed class AnswerUpdates(string modelId, AnswerReader reader, bool tellsThoughts)
{
    static readonly JsonTypeInfo<IDictionary<string, object?>> s_arguments =
        (JsonTypeInfo<IDictionary<string, object?>>)AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(IDictionary<string, object?>));

    readonly string _id = $"kvasir-{Guid.NewGuid():N}";
    readonly DateTimeOffset _created = DateTimeOffset.UtcNow;
    bool _hasCalls;

    /// <summary>What a piece brings.</summary>
    public IEnumerable<ChatResponseUpdate> Of(CompletionPiece piece) => Of(reader.Append(piece.Text));

    /// <summary>What was held back, and the end.</summary>
    public IEnumerable<ChatResponseUpdate> Of(GenerationResult result)
    {
        foreach (ChatResponseUpdate update in Of(reader.Flush(isCut: result.IsCut)))
            yield return update;
        ChatResponseUpdate last = Update(new UsageContent(TokenUsage.Of(result)));
        last.FinishReason = result.FinishReason == FinishReason.Length ? ChatFinishReason.Length
            : _hasCalls ? ChatFinishReason.ToolCalls
            : ChatFinishReason.Stop;
        last.RawRepresentation = result;
        yield return last;
    }

    IEnumerable<ChatResponseUpdate> Of(IReadOnlyList<AnswerPart> parts)
    {
        foreach (AnswerPart part in parts)
            if (ContentOf(part) is { } content)
                yield return Update(content);
    }

    AIContent? ContentOf(AnswerPart part)
    {
        switch (part.Kind)
        {
            case AnswerPartKind.Text:
                return new TextContent(part.Text);
            case AnswerPartKind.Thought:
                return tellsThoughts ? new TextReasoningContent(part.Text) : null;
            case AnswerPartKind.CallEnd when part is { IsWhole: true, Call: { } call }:
                _hasCalls = true;
                return FunctionCallContent.CreateFromParsedArguments(call.Arguments, call.Id, call.Name,
                    json => JsonSerializer.Deserialize(json, s_arguments));
            default:
                return null;
        }
    }

    ChatResponseUpdate Update(AIContent content) =>
        new(ChatRole.Assistant, [content]) { ResponseId = _id, MessageId = _id, ModelId = modelId, CreatedAt = _created };
}
