namespace Kvasir.Inference.Sampling;

/// <summary>
/// How the next token is chosen. All apply in llama.cpp's order: penalties, biases and DRY; then top-nσ, top-k, typical, top-p, min-p, XTC
/// and temperature. A temperature of 0 needs no filter, and Mirostat stands in for all of them but the temperature.
/// </summary>
public sealed record SamplingOptions
{
    /// <summary>Always the most likely token.</summary>
    public static SamplingOptions Greedy { get; } = new();

    /// <summary>Divides the logits; 0 takes the most likely token. 0 or more.</summary>
    public float Temperature { get; init; }

    /// <summary>Keeps this many most likely tokens; 0 keeps all.</summary>
    public int TopK { get; init; } = 40;

    /// <summary>Keeps the smallest set of most likely tokens whose probabilities reach this sum; in (0, 1], 1 keeps all.</summary>
    public float TopP { get; init; } = 0.95f;

    /// <summary>Drops tokens less likely than this share of the most likely one; in [0, 1], 0 keeps all.</summary>
    public float MinP { get; init; } = 0.05f;

    /// <summary>
    /// Divides positive logits, and multiplies negative ones, of the last <see cref="RepeatWindow"/> tokens; above 0, 1 leaves them.
    /// </summary>
    public float RepeatPenalty { get; init; } = 1f;

    /// <summary>Tokens that the penalty looks back on.</summary>
    public int RepeatWindow { get; init; } = 64;

    /// <summary>
    /// Taken from a token's logit for each time that it stands in the completion, as in OpenAI's API; −2 to 2, 0 leaves them.
    /// </summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Taken from a token's logit if it stands in the completion at all, as in OpenAI's API; −2 to 2, 0 leaves them.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>
    /// Added to the logits of single tokens; −100 to 100, where ±100 nearly forces or forbids one. Tokens that
    /// a model lacks are passed over.
    /// </summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>
    /// Drops tokens whose logit is more than this many standard deviations of all logits below the largest; 0 keeps all. Tang et al.,
    /// "Top-nσ: Not All Logits Are You Need", 2024, https://arxiv.org/abs/2411.07641.
    /// </summary>
    public float TopNSigma { get; init; }

    /// <summary>
    /// Keeps tokens whose surprise −ln p is nearest to the entropy −Σ p ln p, until their probabilities exceed this sum; in (0, 1], 1
    /// keeps all. Meister et al., "Locally Typical Sampling", 2022, https://arxiv.org/abs/2202.00666.
    /// </summary>
    public float TypicalP { get; init; } = 1f;

    /// <summary>Takes the likeliest tokens away now and then; null never does.</summary>
    public XtcOptions? Xtc { get; init; }

    /// <summary>Lowers tokens that would go on with a repetition; null lowers none.</summary>
    public DryOptions? Dry { get; init; }

    /// <summary>Holds the surprise of the text instead of filtering; null filters.</summary>
    public MirostatOptions? Mirostat { get; init; }

    /// <summary>Start of the random numbers: equal seeds give equal texts. Null draws one.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Throws when a value is out of its range.</summary>
    /// <exception cref="ArgumentException">The message names the value and its range.</exception>
    public void Validate()
    {
        Check(float.IsFinite(Temperature) && Temperature >= 0, "temperature", Temperature, "0 or more");
        Check(TopK >= 0, "top-k", TopK, "0 or more");
        Check(TopP is > 0 and <= 1, "top-p", TopP, "above 0, at most 1");
        Check(MinP is >= 0 and <= 1, "min-p", MinP, "0 to 1");
        Check(float.IsFinite(RepeatPenalty) && RepeatPenalty > 0, "repeat penalty", RepeatPenalty, "above 0");
        Check(RepeatWindow >= 0, "repeat window", RepeatWindow, "0 or more");
        Check(FrequencyPenalty is >= -2 and <= 2, "frequency penalty", FrequencyPenalty, "-2 to 2");
        Check(PresencePenalty is >= -2 and <= 2, "presence penalty", PresencePenalty, "-2 to 2");
        Check(float.IsFinite(TopNSigma) && TopNSigma >= 0, "top-n-sigma", TopNSigma, "0 or more");
        Check(TypicalP is > 0 and <= 1, "typical-p", TypicalP, "above 0, at most 1");
        Xtc?.Validate();
        Dry?.Validate();
        Mirostat?.Validate();
        if (LogitBias is null)
            return;
        foreach ((int token, float bias) in LogitBias)
            Check(token >= 0 && bias is >= -100 and <= 100, "logit bias", FormattableString.Invariant($"{bias} for token {token}"),
                "-100 to 100 for tokens of 0 or more");
    }

    internal static void Check(bool holds, string name, object seen, string expected)
    {
        if (!holds)
            throw new ArgumentException(FormattableString.Invariant($"{name}: {seen}, expected {expected}"));
    }
}
