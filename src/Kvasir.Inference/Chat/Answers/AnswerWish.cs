using Kvasir.Inference.Sampling.Constraints;

namespace Kvasir.Inference.Chat.Answers;

/// <summary>What is wanted of an answer, besides how its tokens are chosen.</summary>
public sealed record AnswerWish
{
    /// <summary>The tools that may be called.</summary>
    public IReadOnlyList<Tool> Tools { get; init; } = [];

    /// <summary>Whether one has to be.</summary>
    public bool MustCall { get; init; }

    /// <summary>Whether more than one call may come, where answers are held to calls.</summary>
    public bool Several { get; init; }

    /// <summary>What the answer may be, if it calls nothing; null for anything.</summary>
    public OutputGrammar? Form { get; init; }

    /// <summary>Most tokens of thoughts; null for no bound.</summary>
    public int? ThoughtBudget { get; init; }

    /// <summary>Whether thoughts are told apart from the text; if not, they stand in it as the model writes them.</summary>
    public bool SplitsThoughts { get; init; } = true;
}
