using System.Text.Json.Serialization;
using Kvasir.Inference.Drafting;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Accounting;
using Kvasir.Server.Serving;

namespace Kvasir.Server.OpenAi;

/// <summary>What a request used. Cached tokens are among the prompt's; those written are new in the cache.</summary>
sealed record Usage(int PromptTokens, int CompletionTokens, int TotalTokens, PromptTokensDetails PromptTokensDetails,
    CompletionTokensDetails CompletionTokensDetails)
{
    public static Usage Of(CompletionRun run, IReadOnlyList<GenerationResult> results)
    {
        GenerationResult[] first = [.. results.Where((_, i) => i % run.Request.PerPrompt == 0)];
        int prompt = first.Sum(result => result.PromptTokens), completion = results.Sum(result => result.TokenIds.Count);
        return new Usage(prompt, completion, prompt + completion,
            new PromptTokensDetails(first.Sum(result => result.ReusedTokens), first.Sum(result => result.ComputedTokens),
                run.RetentionOf(results)), new CompletionTokensDetails(results.Sum(result => result.ThoughtTokens))
                {
                    AcceptedPredictionTokens = OfPrediction(drafts => drafts.AcceptedOfPrediction),
                    RejectedPredictionTokens = OfPrediction(drafts => drafts.RejectedOfPrediction),
                });

        int? OfPrediction(Func<DraftUse, int> count) => run.Request.Options.Speculative.Prediction.Count == 0 ? null
            : results.Sum(result => result.Drafts is { } drafts ? count(drafts) : 0);

    }
}

/// <summary>How many of the answer's tokens were thoughts, markers included.</summary>
sealed record CompletionTokensDetails(int ReasoningTokens)
{
    /// <summary>Tokens of a prediction that were guessed and right; absent without one.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? AcceptedPredictionTokens { get; init; }

    /// <summary>Those that were guessed and wrong.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? RejectedPredictionTokens { get; init; }
}

/// <summary>Where the prompt's keys and values came from, and what was left out of them, if anything was.</summary>
sealed record PromptTokensDetails(int CachedTokens, int CacheWriteTokens,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] RetentionUsage? KvRetention = null);

/// <summary>How likely tokens were.</summary>
sealed record ChoiceLogprobs(IReadOnlyList<TokenLogprob> Content, IReadOnlyList<TokenLogprob>? Refusal = null)
{
    /// <summary>Those of an answer; null unless they were asked for.</summary>
    public static ChoiceLogprobs? Of(ChoiceText choice, GenerationOptions options, Inference.Tokenization.Tokenizer tokenizer) =>
        options.TopLogprobs is null ? null : new ChoiceLogprobs([.. choice.Logprobs.Select(token => TokenLogprob.Of(token, tokenizer))]);
}

/// <summary>One token with the likeliest beside it.</summary>
sealed record TokenLogprob(string Token, float Logprob, IReadOnlyList<int> Bytes,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<TokenLogprob>? TopLogprobs)
{
    public static TokenLogprob Of(TokenLogprobs token, Inference.Tokenization.Tokenizer tokenizer) =>
        One(token.Token, token.Logprob, tokenizer, [.. token.Top.Select(top => One(top.Token, top.Logprob, tokenizer, null))]);

    /// <summary>A token as clients see it: its text, or its spelling when it has none.</summary>
    public static string Text(int token, Inference.Tokenization.Tokenizer tokenizer) =>
        tokenizer.Bytes(token) is { IsEmpty: false } bytes ? System.Text.Encoding.UTF8.GetString(bytes) : tokenizer.Text(token);

    static TokenLogprob One(int token, float logprob, Inference.Tokenization.Tokenizer tokenizer, IReadOnlyList<TokenLogprob>? top) =>
        new(Text(token, tokenizer), logprob, [.. tokenizer.Bytes(token).ToArray().Select(value => (int)value)], top);
}
