using System.Text.Json;
using System.Text.Json.Serialization;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Tokenization;
using Kvasir.Server.Accounting;
using Kvasir.Server.Serving;

namespace Kvasir.Server.OpenAi;

/// <summary>The whole answer of <c>/v1/chat/completions</c>.</summary>
sealed record ChatCompletion(
    string Id, string Object, long Created, string Model, string SystemFingerprint, IReadOnlyList<ChatChoice> Choices, Usage Usage,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Explanation? Kvasir,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Timings? Timings,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), JsonPropertyName("__verbose")] RawAnswer? Raw)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<IReadOnlyDictionary<string, PromptLogprob>?>? PromptLogprobs { get; init; }
}

/// <summary>What the model was asked, as the chat template wrote it, and what it wrote, before anybody read that.</summary>
sealed record RawAnswer(string Prompt, string Content, IReadOnlyList<int> Tokens, int TokensEvaluated, int TokensPredicted)
{
    /// <summary>That of an answer that is over; null unless it was asked for.</summary>
    public static RawAnswer? Of(CompletionRun run, GenerationResult result, Tokenizer tokenizer) => !run.Request.TellsRaw ? null
        : new(tokenizer.Decode(run.Request.Prompts[0], ControlTokens.Shown), tokenizer.Decode([.. result.TokenIds], ControlTokens.Shown),
            result.TokenIds, result.PromptTokens, result.TokenIds.Count);
}

/// <summary>One of its choices.</summary>
sealed record ChatChoice(int Index, ChatMessage Message, ChoiceLogprobs? Logprobs, string FinishReason);

/// <summary>What the model said.</summary>
sealed record ChatMessage(string Role, string? Content,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? ReasoningContent,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<ChatToolCall>? ToolCalls, string? Refusal = null);

/// <summary>A call of a tool; an index only in streams, where id, type and name come once and then more of the arguments.</summary>
sealed record ChatToolCall([property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] int? Index,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Id,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Type, ChatFunctionCall Function)
{
    public static ChatToolCall Of(ToolCall call, int? index) =>
        new(index, call.Id, "function", new ChatFunctionCall(call.Name, call.Arguments));

    public static ChatToolCall More(string arguments, int index) => new(index, null, null, new ChatFunctionCall(null, arguments));
}

/// <summary>The function and its arguments, as a text that is JSON.</summary>
sealed record ChatFunctionCall([property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Name, string Arguments);

/// <summary>A piece of a streamed answer.</summary>
sealed record ChatChunk(
    string Id, string Object, long Created, string Model, string SystemFingerprint, IReadOnlyList<ChatChunkChoice> Choices,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Usage? Usage,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Explanation? Kvasir,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Timings? Timings = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] PromptProgress? PromptProgress = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), JsonPropertyName("__verbose")] RawAnswer? Raw = null);

/// <summary>The part of a piece that belongs to one choice.</summary>
sealed record ChatChunkChoice(int Index, ChatDelta Delta,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] ChoiceLogprobs? Logprobs, string? FinishReason);

/// <summary>What is new. An empty content is written as null, which is not absent: nothing has come yet.</summary>
sealed record ChatDelta(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Role,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), JsonConverter(typeof(EmptyAsNull))] string? Content,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<ChatToolCall>? ToolCalls,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? ReasoningContent = null);

/// <summary>Writes an empty text as null.</summary>
sealed class EmptyAsNull : JsonConverter<string>
{
    public override string? Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options) => reader.GetString();

    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options)
    {
        if (value.Length > 0)
            writer.WriteStringValue(value);
        else
            writer.WriteNullValue();
    }
}
