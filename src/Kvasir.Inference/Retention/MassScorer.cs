using Kvasir.Inference.Kernels;
using Kvasir.KvCache.Retention;

namespace Kvasir.Inference.Retention;

/// <summary>
/// How much all rows of the prefix have looked at each position: the heavy hitters of H2O (Zhang et al., 2023,
/// https://arxiv.org/abs/2306.14048), summed over rows and the query heads of a group.
/// </summary>
class MassScorer(int positions, int firstRow, ProfileParts parts) : Scorer(positions, firstRow, parts)
{
    protected override void Observe(CpuKernels kernels, AttentionInput attention, int firstSeen) =>
        kernels.Observe(attention, Observation.Sum, Seen, firstSeen, ..);
}

/// <summary>
/// How much the last rows look at each position and its neighbours (SnapKV, Li et al., 2024, https://arxiv.org/abs/2404.14469, with its 32
/// rows and its pooling over 7 positions).
/// </summary>
sealed class SnapKvScorer(int positions, int firstRow, ProfileParts parts) : MassScorer(positions, firstRow, parts)
{
    protected override void Finish(int layer, int head, ReadOnlySpan<float> seen, Span<float> score)
    {
        seen.CopyTo(score);
        SnapKvPooling.Max(score);
    }
}
