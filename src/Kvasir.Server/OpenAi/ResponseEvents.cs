using System.Text.Json.Serialization;

namespace Kvasir.Server.OpenAi;

/// <summary>An event of a streamed answer of <c>/v1/responses</c>: its type first, its number last.</summary>
[JsonDerivedType(typeof(ResponseProgress))]
[JsonDerivedType(typeof(ResponseItemEvent))]
[JsonDerivedType(typeof(ResponsePartEvent))]
[JsonDerivedType(typeof(ResponseTextDelta))]
[JsonDerivedType(typeof(ResponseTextDone))]
[JsonDerivedType(typeof(ResponseThoughtDelta))]
[JsonDerivedType(typeof(ResponseThoughtDone))]
[JsonDerivedType(typeof(ResponseSummaryPartEvent))]
[JsonDerivedType(typeof(ResponseSummaryDelta))]
[JsonDerivedType(typeof(ResponseSummaryDone))]
[JsonDerivedType(typeof(ResponseArgumentsDelta))]
[JsonDerivedType(typeof(ResponseArgumentsDone))]
[JsonDerivedType(typeof(ResponseFailure))]
abstract record ResponseEvent([property: JsonPropertyOrder(-1)] string Type)
{
    [JsonPropertyOrder(1)]
    public int SequenceNumber { get; init; }
}

/// <summary>The answer begins, goes on, or is over.</summary>
sealed record ResponseProgress(string Type, Response Response) : ResponseEvent(Type);

/// <summary>An item begins, or is over.</summary>
sealed record ResponseItemEvent(string Type, int OutputIndex, ResponseItem Item) : ResponseEvent(Type);

/// <summary>A text begins, or is over.</summary>
sealed record ResponsePartEvent(string Type, string ItemId, int OutputIndex, int ContentIndex, ResponsePart Part) : ResponseEvent(Type);

/// <summary>More of a text.</summary>
sealed record ResponseTextDelta(string ItemId, int OutputIndex, int ContentIndex, string Delta, IReadOnlyList<TokenLogprob> Logprobs)
    : ResponseEvent("response.output_text.delta");

/// <summary>The whole text.</summary>
sealed record ResponseTextDone(string ItemId, int OutputIndex, int ContentIndex, string Text, IReadOnlyList<TokenLogprob> Logprobs)
    : ResponseEvent("response.output_text.done");

/// <summary>More of what the model thinks.</summary>
sealed record ResponseThoughtDelta(string ItemId, int OutputIndex, int ContentIndex, string Delta)
    : ResponseEvent("response.reasoning_text.delta");

/// <summary>All that it thought.</summary>
sealed record ResponseThoughtDone(string ItemId, int OutputIndex, int ContentIndex, string Text)
    : ResponseEvent("response.reasoning_text.done");

/// <summary>Thoughts that are told as a summary begin, or are over.</summary>
sealed record ResponseSummaryPartEvent(string Type, string ItemId, int OutputIndex, int SummaryIndex, ResponsePart Part)
    : ResponseEvent(Type);

/// <summary>More of them.</summary>
sealed record ResponseSummaryDelta(string ItemId, int OutputIndex, int SummaryIndex, string Delta)
    : ResponseEvent("response.reasoning_summary_text.delta");

/// <summary>All of them.</summary>
sealed record ResponseSummaryDone(string ItemId, int OutputIndex, int SummaryIndex, string Text)
    : ResponseEvent("response.reasoning_summary_text.done");

/// <summary>More of a call's arguments.</summary>
sealed record ResponseArgumentsDelta(string ItemId, int OutputIndex, string Delta)
    : ResponseEvent("response.function_call_arguments.delta");

/// <summary>The whole arguments.</summary>
sealed record ResponseArgumentsDone(string ItemId, int OutputIndex, string Arguments)
    : ResponseEvent("response.function_call_arguments.done");

/// <summary>The engine failed.</summary>
sealed record ResponseFailure(string? Code, string Message, string? Param) : ResponseEvent("error");
