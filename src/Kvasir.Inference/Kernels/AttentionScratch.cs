using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// What one thread needs to attend: a tile of widened keys and values, and the rows of one run for the query heads of one KV head.
/// </summary>
sealed class AttentionScratch(AttentionSize largest, int rowWidth) : IDisposable
{
    const int Rows = CpuKernels.RowsPerRun;

    public FloatRows Keys { get; } = new(FloatRows.PadToLanes(largest.KeyDim), AttentionInput.Tile); // [key dim, tile]: one position a lane
    public FloatRows Values { get; } = new(AttentionInput.Tile, largest.ValueDim); // [tile, value dim]
    public FloatRows Stored { get; } = new(16, Math.Max(largest.KeyDim, 16)); // [16 positions, key dim], on their way to Keys
    public FloatRows Queries { get; } = new(Rows * largest.Group, largest.KeyDim); // [rows · group, key dim], scaled for powers of 2
    public FloatRows Weights { get; } = new(Rows * largest.Group, AttentionInput.Tile); // [rows · group, tile]: scores, then weights
    public FloatRows Stretch { get; } = new(Rows * largest.Group, rowWidth); // [rows · group, running softmax] of one stretch
    public FloatRows Whole { get; } = new(Rows * largest.Group, rowWidth); // [rows · group, running softmax] of all stretches so far

    public void Dispose()
    {
        foreach (FloatRows rows in (FloatRows[])[Keys, Values, Stored, Queries, Weights, Stretch, Whole])
            rows.Dispose();
    }
}
