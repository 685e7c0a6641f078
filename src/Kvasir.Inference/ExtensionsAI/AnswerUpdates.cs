using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Scheduling;
using Microsoft.Extensions.AI;

namespace Kvasir.Inference.ExtensionsAI;

/// <summary>Writes an answer as updates: text and calls of tools as they come, and at the end what the answer took.</summary>
/// <param name="modelId">The model's name.</param>
/// <param name="tools">How the model calls tools; null when it has none to call.</param>
sealed class AnswerUpdates(string modelId, ToolFormat? tools)
{
    static readonly JsonTypeInfo<IDictionary<string, object?>> s_arguments =
        (JsonTypeInfo<IDictionary<string, object?>>)AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(IDictionary<string, object?>));

    readonly ToolCallFilter? _filter = tools is null ? null : new ToolCallFilter(tools);
    readonly string _id = $"kvasir-{Guid.NewGuid():N}";
    readonly DateTimeOffset _created = DateTimeOffset.UtcNow;
    bool _hasCalls;

    /// <summary>What a piece brings.</summary>
    public IEnumerable<ChatResponseUpdate> Of(CompletionPiece piece) => Of(_filter?.Append(piece.Text) ?? (piece.Text, []));

    /// <summary>What was held back, and the end.</summary>
    public IEnumerable<ChatResponseUpdate> Of(GenerationResult result)
    {
        foreach (ChatResponseUpdate update in Of(_filter?.Flush() ?? ("", [])))
            yield return update;
        ChatResponseUpdate last = Update(new UsageContent(TokenUsage.Of(result)));
        last.FinishReason = result.FinishReason == FinishReason.Length ? ChatFinishReason.Length
            : _hasCalls ? ChatFinishReason.ToolCalls
            : ChatFinishReason.Stop;
        last.RawRepresentation = result;
        yield return last;
    }

    IEnumerable<ChatResponseUpdate> Of((string Text, List<ToolCall> Calls) found)
    {
        if (found.Text.Length > 0)
            yield return Update(new TextContent(found.Text));
        _hasCalls |= found.Calls.Count > 0;
        foreach (ToolCall call in found.Calls)
            yield return Update(FunctionCallContent.CreateFromParsedArguments(call.Arguments, call.Id, call.Name,
                json => JsonSerializer.Deserialize(json, s_arguments)));
    }

    ChatResponseUpdate Update(AIContent content) =>
        new(ChatRole.Assistant, [content]) { ResponseId = _id, MessageId = _id, ModelId = modelId, CreatedAt = _created };
}
