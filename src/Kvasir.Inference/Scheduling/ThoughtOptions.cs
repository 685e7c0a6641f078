namespace Kvasir.Inference.Scheduling;

/// <summary>
/// The thoughts that a completion may begin with: what stands before and behind them, and how long they may be. A grammar and stop strings
/// hold for what comes behind them.
/// </summary>
/// <param name="Begin">What the model writes before them, such as <c>&lt;think></c>.</param>
/// <param name="End">What it writes behind them.</param>
public sealed record ThoughtOptions(string Begin, string End)
{
    /// <summary>Whether the prompt has written <see cref="Begin"/> already.</summary>
    public bool AreOpen { get; init; }

    /// <summary>Most tokens of them: then <see cref="End"/> comes, whatever the model would have said. Null for no bound.</summary>
    public int? Budget { get; init; }

    /// <summary>
    /// What stands between them and the answer, in models that frame both: it is written where they are ended, and before a grammar
    /// begins to hold. Empty where there is nothing.
    /// </summary>
    public string Frame { get; init; } = "";

    /// <summary>Whether they are a part of the text like any other: stop strings end them, too.</summary>
    public bool AreText { get; init; }
}
