using Kvasir.Inference.Kernels;

namespace Kvasir.Inference.Retention;

/// <summary>
/// The prefix is written once more after itself, in pieces, and what its rows look at most in the original is what somebody needs who was
/// to repeat it (KVzip, Kim et al., 2025, https://arxiv.org/abs/2505.23416). A score is the largest probability over all rows and the query
/// heads of a group. Pieces see the original and themselves; where the model's trained context ends before the piece does, its positions are
/// the prefix's last ones.
/// </summary>
sealed class ReplayScorer(int positions, ProfileParts parts) : Scorer(positions, 0, parts)
{
    /// <summary>Tokens of a piece.</summary>
    public const int Piece = 512;

    /// <summary>Tokens before them that are written as well: without any, nobody knows where the original goes on.</summary>
    public const int LeadIn = 32;

    public override bool LeavesCache => false;

    protected override void Observe(CpuKernels kernels, AttentionInput attention, int firstSeen) =>
        kernels.Observe(attention, Observation.Largest, Seen, firstSeen);
}
