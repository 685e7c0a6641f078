namespace Kvasir.KvCache.Retention;

/// <summary>Chooses the positions that a view keeps.</summary>
public static class RetentionSelection
{
    /// <summary>
    /// The positions that a policy keeps of a prefix. Sinks and recent ones are always among them, windowed layers keep theirs, and equal
    /// scores go to the first layer, head and position. Null where the prefix is to be read exactly: it is shorter than the policy's
    /// minimum, is itself within the budget, or would take no fewer bytes as a view.
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
        if (scores is null && readsScores && policy.Scorer != RetentionScorer.Recent)
            throw new ArgumentException($"retention {policy}: no scores");
        if (shape.Positions < policy.Minimum || FitsExactly(policy.Budget, shape))
            return null;
        if (policy.Scorer == RetentionScorer.Recent)
            scores = RetentionScores.ByPosition(shape);
        KeptPositions kept = new(shape, new Chooser(policy, shape, readsScores ? scores : null,
            policy.Scorer == RetentionScorer.FastGen ? heads : null).Choose());
        return kept.Bytes < shape.ExactBytes ? kept : null;
    }

    /// <summary>
    /// What <see cref="Select"/> would keep, without looking at scores: which heads they favour changes where positions lie and not how
    /// many
    /// slots a budget in bytes has. Of a budget in tokens that heads share by their scores, each of them may fill one segment more or less.
    /// </summary>
    /// <param name="policy">The policy.</param>
    /// <param name="shape">The prefix.</param>
    /// <param name="fastGenShare">The share of positions that FastGen alone keeps, as it was measured.</param>
    /// <exception cref="ArgumentException">FastGen's share is missing, or a segment is larger than a slot.</exception>
    public static RetentionEstimate? Estimate(RetentionPolicy policy, RetentionShape shape, double? fastGenShare = null)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(shape);
        if (shape.Positions < policy.Minimum || FitsExactly(policy.Budget, shape))
            return null;
        RetentionEstimate estimate = RetentionEstimate.Of(policy, shape, fastGenShare);
        return estimate.Slots * shape.SlotBytes < shape.ExactBytes ? estimate : null;
    }

    /// <summary>Positions that are taken at a time: of a budget in bytes, those of a segment.</summary>
    internal static int Unit(RetentionPolicy policy, RetentionShape shape) =>
        policy.Budget is RetentionBudget.Share or RetentionBudget.Bytes ? shape.SegmentSlots : 1;

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
