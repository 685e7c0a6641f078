namespace Kvasir.Inference.Drafting;

/// <summary>
/// Whether tokens are guessed ahead, to be computed together with the one that is certain. Answers are the same in every mode.
/// </summary>
public enum SpeculativeMode
{
    /// <summary>A token at a time.</summary>
    Off,

    /// <summary>What followed where the end of the text stood before in prompt and answer is guessed, whatever it costs.</summary>
    Lookup,

    /// <summary>The same where it pays: by how often guesses were right, and what rows cost on this machine.</summary>
    Auto,
}

/// <summary>How a completion's tokens are guessed ahead.</summary>
public sealed record SpeculativeOptions
{
    /// <summary>The most that <see cref="MostTokens"/> may be.</summary>
    public const int MostAtOnce = 64;

    /// <summary>Whether they are; null as the engine's options say.</summary>
    public SpeculativeMode? Mode { get; init; }

    /// <summary>Most tokens that are guessed at once, 1 to <see cref="MostAtOnce"/>.</summary>
    public int MostTokens { get; init; } = 24;

    /// <summary>A text that much of the completion is expected to be like, such as a file that is edited; empty for none.</summary>
    public IReadOnlyList<int> Prediction { get; init; } = [];

    /// <summary>Throws when a value is out of its range.</summary>
    /// <exception cref="ArgumentException">The message names the value and its range.</exception>
    public void Validate()
    {
        if (MostTokens is < 1 or > MostAtOnce)
            throw new ArgumentException($"speculative tokens: {MostTokens}, expected 1 to {MostAtOnce}");
        if (Mode is { } mode && !Enum.IsDefined(mode))
            throw new ArgumentException($"speculative mode: {mode}, expected off, lookup or auto");
    }
}
