using Kvasir.Inference.Kernels;

namespace Kvasir.Inference.Retention;

/// <summary>
/// The prefix is written once more after itself, in pieces, and what its rows look at most in the original is what somebody needs who was
/// to repeat it (KVzip, Kim et al., 2025, https://arxiv.org/abs/2505.23416). A score is the largest probability over the rows of a piece
/// and the query heads of a group, times the length of the value, which says how much that probability moves. Pieces see all of the
/// original and themselves, and score, as in the paper, what they repeat: scoring all of it would take as long as attending to it, and
/// finds the same. They are as long as the model's trained context has room for; where it has none, they are short, so as not to go far
/// beyond.
/// </summary>
sealed class ReplayScorer(int positions, PrefixRows prefix, ProfileParts parts) : Scorer(positions, 0, parts, isLargest: true)
{
    /// <summary>Most tokens of a piece: longer ones look at themselves more, and shorter ones are led in more often.</summary>
    public const int LongestPiece = 512;

    const int ShortestPiece = 128;

    /// <summary>Tokens before them that are written as well: without any, nobody knows where the original goes on.</summary>
    public const int LeadIn = 32;

    /// <summary>Tokens of a piece.</summary>
    public int Piece { get; } =
        Math.Clamp((parts.Config.Context - positions - LeadIn) / ShortestPiece * ShortestPiece, ShortestPiece, LongestPiece);

    /// <summary>Where the piece that is being written stands in the original, what leads in to it included.</summary>
    public Range Original { get; set; }

    public override bool LeavesCache => false;

    protected override void Observe(CpuKernels kernels, AttentionInput attention, int firstSeen) =>
        kernels.Observe(attention, Observation.Largest, Seen, firstSeen, Original);

    protected override void Finish(int layer, int head, ReadOnlySpan<float> seen, Span<float> score)
    {
        float[] lengths = prefix.ValueLengths(layer, head);
        for (int position = 0; position < score.Length; position++)
            score[position] = seen[position] * lengths[position];
    }
}
