using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Formats;
using Kvasir.Inference.Chat;
using Microsoft.Extensions.AI;

namespace Kvasir.Inference.ExtensionsAI;

/// <summary>
/// Reads messages into what chat templates know. Results of calls come before the text of the message that brings them.
/// </summary>
static class TranscriptReader
{
    static readonly JsonSerializerOptions s_compact = new(AIJsonUtilities.DefaultOptions) { WriteIndented = false };

    /// <exception cref="NotSupportedException">A message holds something else than text, calls and their results.</exception>
    public static ChatTranscript Read(IEnumerable<ChatMessage> messages, string? instructions)
    {
        ChatTranscript transcript = new();
        if (!string.IsNullOrEmpty(instructions))
            transcript.Add("system", instructions);
        foreach ((int index, ChatMessage message) in messages.Index())
            Add(transcript, message, index);
        return transcript;
    }

    static void Add(ChatTranscript transcript, ChatMessage message, int index)
    {
        Check(message, index);
        FunctionResultContent[] results = [.. message.Contents.OfType<FunctionResultContent>()];
        FunctionCallContent[] calls = [.. message.Contents.OfType<FunctionCallContent>()];
        foreach (FunctionResultContent result in results)
            transcript.Add("tool", Text(result.Result), json => json["tool_call_id"] = result.CallId);
        if (message.Text.Length > 0 || calls.Length > 0 || results.Length == 0)
            transcript.Add(RoleOf(message), message.Text, json => Complete(json, message, calls));
    }

    static void Complete(JsonObject json, ChatMessage message, FunctionCallContent[] calls)
    {
        if (message.AuthorName is { } author)
            json["name"] = author;
        if (string.Concat(message.Contents.OfType<TextReasoningContent>().Select(thought => thought.Text)) is { Length: > 0 } thoughts)
            json["reasoning_content"] = thoughts;
        if (calls.Length > 0)
            json["tool_calls"] = new JsonArray([.. calls.Select(
                call => ChatTranscript.Call(call.CallId, call.Name, Json(call.Arguments ?? new Dictionary<string, object?>())))]);
    }

    static string RoleOf(ChatMessage message) => message.Role.Value == "developer" ? ChatRole.System.Value : message.Role.Value;

    static void Check(ChatMessage message, int index)
    {
        foreach ((int at, AIContent content) in message.Contents.Index())
            if (content is not (TextContent or TextReasoningContent or FunctionCallContent or FunctionResultContent or UsageContent))
                throw new NotSupportedException($"messages[{index}].Contents[{at}]: {Name(content)}: this model reads text only, expected "
                    + $"text, calls or their results");
    }

    static string Name(AIContent content) => content switch
    {
        DataContent data => $"data of type {Printable.Line(data.MediaType)}",
        UriContent uri => $"a link to {Printable.Line(uri.MediaType)}",
        _ => Printable.Line(content.GetType().Name),
    };

    static string Text(object? result) => result switch
    {
        null => "",
        string text => text,
        JsonElement { ValueKind: JsonValueKind.String } json => json.GetString()!,
        _ => Json(result),
    };

    static string Json(object value) => JsonSerializer.Serialize(value, s_compact.GetTypeInfo(value.GetType()));
}
