namespace Kvasir.Inference.Scheduling;

/// <summary>How likely a token was: natural logarithms of the probabilities that the model gave, before
/// penalties and filters, or with <see cref="GenerationOptions.LogprobsAfterSampling"/> those that the sampler drew from.</summary>
/// <param name="Token">The token.</param>
/// <param name="Logprob">Its own.</param>
/// <param name="Top">The most likely tokens, the likeliest first, as many as were asked for.</param>
public sealed record TokenLogprobs(int Token, float Logprob, IReadOnlyList<(int Token, float Logprob)> Top);
