namespace Kvasir.Inference.Sampling;

/// <summary>
/// XTC ("exclude top choices", https://github.com/oobabooga/text-generation-webui/pull/6335): with some probability, of all tokens that
/// reach the threshold only the least likely stays, so that a text leaves the beaten track and makes sense all the same.
/// </summary>
public sealed record XtcOptions
{
    /// <summary>How often, for each token; 0 to 1, 0 never.</summary>
    public required float Probability { get; init; }

    /// <summary>How likely a token has to be to go; 0 to 1. Above 0.5 none does: no two can be so likely.</summary>
    public float Threshold { get; init; } = 0.1f;

    internal void Validate()
    {
        SamplingOptions.Check(Probability is >= 0 and <= 1, "XTC probability", Probability, "0 to 1");
        SamplingOptions.Check(Threshold is >= 0 and <= 1, "XTC threshold", Threshold, "0 to 1");
    }
}

/// <summary>
/// DRY ("don't repeat yourself", https://github.com/oobabooga/text-generation-webui/pull/5677): a token that would make a repetition of n
/// tokens longer loses Multiplier · Base^(n − AllowedLength), if n is at least AllowedLength.
/// </summary>
public sealed record DryOptions
{
    /// <summary>How much; 0 or more, 0 nothing.</summary>
    public required float Multiplier { get; init; }

    /// <summary>By how much more with each repeated token; 1 or more.</summary>
    public float Base { get; init; } = 1.75f;

    /// <summary>The shortest repetition that counts, in tokens; 1 or more.</summary>
    public int AllowedLength { get; init; } = 2;

    /// <summary>How many last tokens are looked at, the prompt's among them; −1 for all, 0 for none.</summary>
    public int Window { get; init; } = -1;

    /// <summary>Texts over which no repetition is counted: names and quotes may come again.</summary>
    public IReadOnlyList<string> Breakers { get; init; } = ["\n", ":", "\"", "*"];

    internal void Validate()
    {
        SamplingOptions.Check(float.IsFinite(Multiplier) && Multiplier >= 0, "DRY multiplier", Multiplier, "0 or more");
        SamplingOptions.Check(float.IsFinite(Base) && Base >= 1, "DRY base", Base, "1 or more");
        SamplingOptions.Check(AllowedLength >= 1, "DRY allowed length", AllowedLength, "1 or more");
        SamplingOptions.Check(Window >= -1, "DRY window", Window, "-1 or more");
        SamplingOptions.Check(!Breakers.Any(string.IsNullOrEmpty), "DRY breaker", "an empty text", "at least one character");
    }
}

/// <summary>
/// Mirostat 2: draws from tokens that are no more surprising, in bits, than a bound μ, which begins at 2 τ and moves after each token of
/// surprise S by −η (S − τ). Basu et al., "Mirostat: A Neural Text Decoding Algorithm that Directly Controls Perplexity", 2020,
/// https://arxiv.org/abs/2007.14966.
/// </summary>
public sealed record MirostatOptions
{
    /// <summary>The surprise that the text is to have, in bits a token; above 0.</summary>
    public float Tau { get; init; } = 5f;

    /// <summary>How fast the bound moves; 0 to 1.</summary>
    public float Eta { get; init; } = 0.1f;

    internal void Validate()
    {
        SamplingOptions.Check(float.IsFinite(Tau) && Tau > 0, "Mirostat tau", Tau, "above 0");
        SamplingOptions.Check(Eta is >= 0 and <= 1, "Mirostat eta", Eta, "0 to 1");
    }
}
