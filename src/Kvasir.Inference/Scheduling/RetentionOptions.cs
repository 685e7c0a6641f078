using Kvasir.KvCache.Retention;

namespace Kvasir.Inference.Scheduling;

/// <summary>Which keys and values of a prompt's beginning are kept. The completion is not exact then.</summary>
/// <param name="Policy">The policy.</param>
public sealed record RetentionOptions(RetentionPolicy Policy)
{
    /// <summary>
    /// Tokens of the prompt, from its start, to which the policy applies; those behind them, and all that follow, are kept whole. Null for
    /// the whole prompt. A view of what stands before a question is of use to all questions.
    /// </summary>
    public int? Prefix { get; init; }

    /// <summary>Changes scores before they are used, for measurements of what they are worth; such a view is found by nobody.</summary>
    internal Action<RetentionScores>? Adjust { get; init; }
}
