using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Accounting;
using Kvasir.Server.OpenAi;
using Kvasir.Server.Serving;

namespace Kvasir.Server.Ollama;

/// <summary>An answer of <c>/api/chat</c> (with a message) or <c>/api/generate</c> (with a response), whole or a piece of it.</summary>
sealed record OllamaAnswer(string Model, string CreatedAt, bool Done)
{
    public OllamaMessage? Message { get; init; }
    public string? Response { get; init; }
    public string? Thinking { get; init; }
    public IReadOnlyList<TokenLogprob>? Logprobs { get; init; }
    public string? DoneReason { get; init; }

    /// <summary>The conversation as tokens, to go on with.</summary>
    public IReadOnlyList<int>? Context { get; init; }

    /// <summary>Nanoseconds from the request to its end.</summary>
    public long? TotalDuration { get; init; }

    /// <summary>Nanoseconds until its turn came: the model is there already.</summary>
    public long? LoadDuration { get; init; }

    /// <summary>Tokens of the prompt, those that were found in the cache among them.</summary>
    public int? PromptEvalCount { get; init; }

    /// <summary>Of these, the ones that were found.</summary>
    public int? PromptEvalCachedCount { get; init; }
    public long? PromptEvalDuration { get; init; }
    public int? EvalCount { get; init; }
    public long? EvalDuration { get; init; }
    public Explanation? Kvasir { get; init; }

    /// <summary>A time as Go writes it.</summary>
    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffffff'Z'", CultureInfo.InvariantCulture);

    public static OllamaAnswer Piece(string model) => new(model, Time(DateTimeOffset.UtcNow), false);

    /// <summary>What is told at the end.</summary>
    public static OllamaAnswer End(string model, GenerationResult result, CompletionRun run) =>
        new(model, Time(DateTimeOffset.UtcNow), true)
        {
            DoneReason = result.FinishReason == FinishReason.Length ? "length" : "stop",
            TotalDuration = Nanoseconds(result.TimeToFirstToken + result.DecodeTime),
            LoadDuration = Nanoseconds(result.QueueTime),
            PromptEvalCount = result.PromptTokens,
            PromptEvalCachedCount = result.ReusedTokens,
            PromptEvalDuration = Nanoseconds(result.TimeToFirstToken - result.QueueTime),
            EvalCount = result.TokenIds.Count,
            EvalDuration = Nanoseconds(result.DecodeTime),
            Kvasir = run.ExplanationOf(result),
        };

    /// <summary>Clients divide by these: at least one.</summary>
    public static long Nanoseconds(TimeSpan time) => Math.Max(1, (long)(time.TotalMilliseconds * 1e6));
}

/// <summary>What was said.</summary>
sealed record OllamaMessage(string Role, string Content)
{
    public string? Thinking { get; init; }
    public IReadOnlyList<OllamaToolCall>? ToolCalls { get; init; }
}

/// <summary>A call of a tool, its arguments an object.</summary>
sealed record OllamaToolCall(string Id, OllamaFunctionCall Function)
{
    public static OllamaToolCall Of(ToolCall call, int index) =>
        new(call.Id, new OllamaFunctionCall(index, call.Name, ObjectOf(call.Arguments)));

    /// <summary>What a model wrote that is no object is told as it is.</summary>
    static JsonObject ObjectOf(string arguments)
    {
        try
        {
            if (JsonNode.Parse(arguments) is JsonObject whole)
                return whole;
        }
        catch (System.Text.Json.JsonException)
        {
            // see below
        }
        return new JsonObject { ["arguments"] = arguments };
    }
}

/// <summary>The function and its arguments.</summary>
sealed record OllamaFunctionCall(int Index, string Name, JsonObject Arguments);

/// <summary>The answer of <c>/api/embed</c>.</summary>
sealed record OllamaVectors(string Model, IReadOnlyList<float[]> Embeddings, long TotalDuration, long LoadDuration, int PromptEvalCount);

/// <summary>The answer of <c>/api/embeddings</c>.</summary>
sealed record OllamaVector(float[] Embedding);

/// <summary>All that Ollama's endpoints write as JSON. What is not there is not written.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(OllamaAnswer))]
[JsonSerializable(typeof(OllamaVectors))]
[JsonSerializable(typeof(OllamaVector))]
[JsonSerializable(typeof(ModelTags))]
[JsonSerializable(typeof(RunningModels))]
[JsonSerializable(typeof(ModelPage))]
[JsonSerializable(typeof(VersionAnswer))]
sealed partial class OllamaJson : JsonSerializerContext
{
    /// <summary>The same for answers that are written whole.</summary>
    public static OllamaJson Wire { get; } = new(new System.Text.Json.JsonSerializerOptions(Http.Wire.Options())
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    });
}
