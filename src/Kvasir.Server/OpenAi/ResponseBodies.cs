using System.Text.Json;
using System.Text.Json.Serialization;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Accounting;
using Kvasir.Server.Serving;

namespace Kvasir.Server.OpenAi;

/// <summary>The answer of <c>/v1/responses</c>, as far as it has come. What the request said is said again, in its own words.</summary>
sealed record Response
{
    public required string Id { get; init; }
    public string Object { get; init; } = "response";
    public required long CreatedAt { get; init; }
    public string Status { get; init; } = "in_progress";
    public JsonElement? Error { get; init; }
    public IncompleteDetails? IncompleteDetails { get; init; }
    public required string Model { get; init; }
    public IReadOnlyList<ResponseItem> Output { get; init; } = [];
    public ResponseUsage? Usage { get; init; }
    public required JsonElement Instructions { get; init; }
    public required JsonElement MaxOutputTokens { get; init; }
    public required JsonElement PreviousResponseId { get; init; }
    public required JsonElement Temperature { get; init; }
    public required JsonElement TopP { get; init; }
    public required JsonElement Tools { get; init; }
    public required JsonElement ToolChoice { get; init; }
    public required JsonElement ParallelToolCalls { get; init; }
    public required JsonElement Metadata { get; init; }
    public required JsonElement Store { get; init; }
    public required JsonElement Truncation { get; init; }
    public required JsonElement User { get; init; }
    public required JsonElement Text { get; init; }
    public required JsonElement Reasoning { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Explanation? Kvasir { get; init; }
}

/// <summary>Why an answer is not whole.</summary>
sealed record IncompleteDetails(string Reason);

/// <summary>A part of an answer: what was said, or a call.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(ResponseMessage), "message")]
[JsonDerivedType(typeof(ResponseCall), "function_call")]
[JsonDerivedType(typeof(ResponseReasoning), "reasoning")]
abstract record ResponseItem;

/// <summary>What was said.</summary>
sealed record ResponseMessage(string Id, string Status, string Role, IReadOnlyList<ResponsePart> Content) : ResponseItem;

/// <summary>What the model thought: all of it, as content or, where one was asked for, as the summary.</summary>
sealed record ResponseReasoning(string Id, string Status, IReadOnlyList<ResponsePart> Summary, IReadOnlyList<ResponsePart> Content)
    : ResponseItem;

/// <summary>A call of a tool, its arguments as a text that is JSON; incomplete where it was cut off.</summary>
sealed record ResponseCall(string Id, string CallId, string Name, string Arguments, string Status) : ResponseItem;

/// <summary>A text; one that was said has what other servers add to it.</summary>
sealed record ResponsePart(string Type, string Text,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Annotations,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<TokenLogprob>? Logprobs)
{
    public static ResponsePart Said(string text) => new("output_text", text, [], []);

    public static ResponsePart Thought(string text) => new("reasoning_text", text, null, null);

    public static ResponsePart Summary(string text) => new("summary_text", text, null, null);
}

/// <summary>What an answer used.</summary>
sealed record ResponseUsage(
    int InputTokens, ResponseInputDetails InputTokensDetails, int OutputTokens, ResponseOutputDetails OutputTokensDetails, int TotalTokens)
{
    public static ResponseUsage Of(CompletionRun run, GenerationResult result) => new(
        result.PromptTokens, new ResponseInputDetails(result.ReusedTokens, result.ComputedTokens, run.RetentionOf([result])),
        result.TokenIds.Count, new ResponseOutputDetails(result.ThoughtTokens), result.PromptTokens + result.TokenIds.Count);
}

/// <summary>Where the prompt's keys and values came from, and what was left out of them, if anything was.</summary>
sealed record ResponseInputDetails(int CachedTokens, int CacheWriteTokens,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] RetentionUsage? KvRetention);

/// <summary>What the answer's tokens were for.</summary>
sealed record ResponseOutputDetails(int ReasoningTokens);

/// <summary>The answer of <c>/v1/responses/input_tokens</c>.</summary>
sealed record ResponseInputTokens(string Object, int InputTokens);
