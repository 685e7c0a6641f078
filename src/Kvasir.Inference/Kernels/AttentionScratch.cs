using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>What one thread needs to attend: a tile of widened keys and values, and the rows of one run for the query heads of one KV head.</summary>
sealed class AttentionScratch(int keyDim, int valueDim, int group, int rowWidth) : IDisposable
{
    const int Rows = CpuKernels.RowsPerRun;

    public FloatRows Keys { get; } = new(FloatRows.PadToLanes(keyDim), AttentionInput.Tile); // [key dim, tile]: one position a lane
    public FloatRows Values { get; } = new(AttentionInput.Tile, valueDim); // [tile, value dim]
    public FloatRows Stored { get; } = new(16, Math.Max(keyDim, 16)); // [16 positions, key dim], on their way to Keys
    public FloatRows Queries { get; } = new(Rows * group, keyDim); // [rows · group, key dim], scaled so that scores are powers of 2
    public FloatRows Weights { get; } = new(Rows * group, AttentionInput.Tile); // [rows · group, tile]: scores, then weights
    public FloatRows Stretch { get; } = new(Rows * group, rowWidth); // [rows · group, running softmax] of one stretch
    public FloatRows Whole { get; } = new(Rows * group, rowWidth); // [rows · group, running softmax] of all stretches so far

    public void Dispose()
    {
        foreach (FloatRows rows in (FloatRows[])[Keys, Values, Stored, Queries, Weights, Stretch, Whole])
            rows.Dispose();
    }
}
