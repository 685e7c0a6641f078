using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Tokenization;
using Kvasir.Server.Accounting;
using Kvasir.Server.OpenAi;

namespace Kvasir.Server.LlamaServer;

/// <summary>An answer of <c>/completion</c>, or the last piece of a streamed one.</summary>
sealed record CompletionAnswer(
    int Index, string Content, IReadOnlyList<int> Tokens, int IdSlot, bool Stop, string Model, int TokensPredicted, int TokensEvaluated,
    GenerationSettings GenerationSettings, string Prompt, bool HasNewLine, bool Truncated, string StopType, string StoppingWord,
    int TokensCached, Timings Timings,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<TokenProbability>? CompletionProbabilities,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Explanation? Kvasir)
{
    /// <summary>Why an answer ended, in llama-server's words.</summary>
    public static string StopTypeOf(GenerationResult result) => result.StopText is not null ? "word" : result.FinishReason switch
    {
        FinishReason.Stop => "eos",
        FinishReason.Length => "limit",
        _ => "none",
    };

    /// <summary>How long it took.</summary>
    public static Timings TimingsOf(GenerationResult result) => Timings.Of(result.ReusedTokens, result.ComputedTokens,
        result.TimeToFirstToken > result.QueueTime ? result.TimeToFirstToken - result.QueueTime : TimeSpan.Zero,
        result.TokenIds.Count, result.DecodeTime);

    /// <summary>
    /// As JSON with those fields only that a client wants: <c>a/b</c> is the field b of a, under that name. All of them where it names
    /// none.
    /// </summary>
    public JsonObject Fields(IReadOnlyList<string> wanted)
    {
        JsonObject whole = System.Text.Json.JsonSerializer.SerializeToNode(this, LlamaServerJson.Wire.CompletionAnswer)!.AsObject();
        if (wanted.Count == 0)
            return whole;
        JsonObject some = [];
        foreach (string path in wanted)
            if (path.Split('/').Aggregate((JsonNode?)whole, (at, name) => at is JsonObject parent ? parent[name] : null) is { } found)
                some[path] = found.DeepClone();
        return some;
    }
}

/// <summary>A piece of a streamed answer.</summary>
sealed record CompletionChunk(
    int Index, string Content, IReadOnlyList<int> Tokens, bool Stop, int IdSlot, int TokensPredicted, int TokensEvaluated,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Timings? Timings = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] PromptProgress? PromptProgress = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    IReadOnlyList<TokenProbability>? CompletionProbabilities = null);

/// <summary>
/// How likely a token was, as a logarithm of what the model gave or as the chance with which it was drawn, and others beside it.
/// </summary>
sealed record TokenProbability(int Id, string Token, IReadOnlyList<int> Bytes)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public float? Logprob { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? Prob { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<TokenProbability>? TopLogprobs { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<TokenProbability>? TopProbs { get; init; }

    public static TokenProbability Of(TokenLogprobs token, bool afterSampling, Tokenizer tokenizer)
    {
        TokenProbability[] top = [.. token.Top.Select(one => One(one.Token, one.Logprob, afterSampling, tokenizer))];
        return One(token.Token, token.Logprob, afterSampling, tokenizer) with
        {
            TopLogprobs = afterSampling ? null : top,
            TopProbs = afterSampling ? top : null,
        };
    }

    static TokenProbability One(int token, float logprob, bool afterSampling, Tokenizer tokenizer) =>
        new(token, TokenLogprob.Text(token, tokenizer), [.. tokenizer.Bytes(token).ToArray().Select(value => (int)value)])
        {
            Logprob = afterSampling ? null : logprob,
            Prob = afterSampling ? Math.Exp(logprob) : null,
        };
}
