using System.Globalization;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Tokenization;
using Kvasir.Server.Http;

namespace Kvasir.Server.OpenAi;

/// <summary>How likely a token was in its place of a prompt, and which place it had among all: vLLM's <c>prompt_logprobs</c>.</summary>
sealed record PromptLogprob(float Logprob, int Rank, string DecodedToken)
{
    /// <summary>How many of the likeliest tokens a body asks for beside each of the prompt's; null for nothing.</summary>
    public static int? Wish(Field body)
    {
        Field field = body["prompt_logprobs"];
        int? top = field.Whole(0, GenerationOptions.MostLogprobs);
        return top is not null && body["stream"].Truth() == true
            ? throw field.Wrong("it only without 'stream'")
            : top;
    }

    /// <summary>
    /// For each token of a prompt itself and the likeliest, by their numbers; null for the first, which nothing foretells.
    /// </summary>
    /// <param name="prompt">What was read of it; null where that was not asked for.</param>
    /// <param name="top">How many of the likeliest.</param>
    /// <param name="tokenizer">Spells them.</param>
    public static IReadOnlyList<IReadOnlyDictionary<string, PromptLogprob>?>? Of(
        IReadOnlyList<TokenLogprobs?>? prompt, int? top, Tokenizer tokenizer) =>
        top is { } most ? [.. (prompt ?? []).Select(token => token is null ? null : Of(token, most, tokenizer))] : null;

    static Dictionary<string, PromptLogprob> Of(TokenLogprobs token, int top, Tokenizer tokenizer)
    {
        Dictionary<string, PromptLogprob> all = [];
        void Add(int id, float logprob, int rank) =>
            all.TryAdd(id.ToString(CultureInfo.InvariantCulture), new PromptLogprob(logprob, rank, TokenLogprob.Text(id, tokenizer)));
        Add(token.Token, token.Logprob, token.Rank!.Value);
        foreach (((int id, float logprob), int i) in token.Top.Take(top).Select((likely, i) => (likely, i)))
            Add(id, logprob, i + 1);
        return all;
    }
}
