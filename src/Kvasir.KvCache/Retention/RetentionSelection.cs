namespace Kvasir.KvCache.Retention;

/// <summary>Chooses the positions that a view keeps.</summary>
public static class RetentionSelection
{
    /// <summary>
    /// The positions that a policy keeps of a prefix. Sinks and recent ones are always among them, windowed layers keep theirs, and equal
    /// scores go to
    /// the first layer, head and position. Null where the prefix is to be read exactly: it is shorter than the policy's minimum, is itself
    /// within the budget, or would take no fewer bytes as a view.
    /// </summary>
    /// <param name="policy">The policy.</param>
    /// <param name="shape">The prefix.</param>
    /// <param name="scores">What positions are worth; not read for <c>window</c>, <c>random</c> and <c>fastgen</c> alone.</param>
    /// <param name="heads">What FastGen found, by layer and KV head; for its policies only, and not read of layers that do not
    /// select.</param>
    /// <exception cref="ArgumentException">Scores or heads are missing, or a segment is larger than a slot.</exception>
    public static KeptPositions? Select(RetentionPolicy policy, RetentionShape shape, RetentionScores? scores, FastGenHead[][]? heads)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(shape);
        if (policy.Scorer == RetentionScorer.FastGen && heads is null)
            throw new ArgumentException($"retention {policy}: no kinds of heads");
        bool readsScores = policy.Budget is not null && policy.Scorer != RetentionScorer.Random;
        if (scores is null && readsScores)
            throw new ArgumentException($"retention {policy}: no scores");
        if (shape.Positions < policy.Minimum || FitsExactly(policy.Budget, shape))
            return null;
        KeptPositions kept = new(shape, new Chooser(policy, shape, readsScores ? scores : null,
            policy.Scorer == RetentionScorer.FastGen ? heads : null).Choose());
        return kept.Bytes < shape.ExactBytes ? kept : null;
    }

    static bool FitsExactly(RetentionBudget? budget, RetentionShape shape) => budget switch
    {
        RetentionBudget.Tokens tokens => tokens.PerHead >= shape.Positions,
        null => false,
        _ => Slots(budget, shape) * shape.SlotBytes >= shape.ExactBytes,
    };

    /// <summary>Whole slots of a budget in bytes.</summary>
    internal static long Slots(RetentionBudget budget, RetentionShape shape) => budget switch
    {
        RetentionBudget.Share share => (long)(share.Of * shape.ExactBytes) / shape.SlotBytes,
        RetentionBudget.Bytes bytes => bytes.Of / shape.SlotBytes,
        _ => throw new ArgumentException($"a budget of {budget} has no bytes"),
    };
}
