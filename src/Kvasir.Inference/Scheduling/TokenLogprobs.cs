namespace Kvasir.Inference.Scheduling;

/// <summary>How likely a token was: natural logarithms of the probabilities that the model gave, before
/// penalties and filters, or with <see cref="GenerationOptions.LogprobsAfterSampling"/> those that the sampler drew from.</summary>
/// <param name="Token">The token.</param>
/// <param name="Logprob">Its own.</param>
/// <param name="Top">The most likely tokens, the likeliest first, as many as were asked for.</param>
public sealed record TokenLogprobs(int Token, float Logprob, IReadOnlyList<(int Token, float Logprob)> Top)
{
    /// <summary>The token's place among all by likelihood, from 1; of a prompt's tokens only, else null.</summary>
    public int? Rank { get; init; }
}
