using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>Copies rows to where their pairs stand, for weights that are floats.</summary>
readonly struct GatherRows(ExpertPlan plan, FloatRows x, FloatRows gathered) : IComputeJob
{
    public void Run(int pair, int thread) => x.Span(plan.Row(pair)).CopyTo(gathered.Span(pair));
}

/// <summary>Quantises the rows of pairs, a tile an item.</summary>
/// <param name="plan">The pairs.</param>
/// <param name="x">Activations: a row for each row of the batch, or for each pair.</param>
/// <param name="isOfPairs">Whether it has one for each pair.</param>
/// <param name="columns">Their width.</param>
/// <param name="halves">Whether sums of half groups are needed.</param>
/// <param name="result">Receives them.</param>
unsafe struct QuantizePairs<T>(ExpertPlan plan, FloatRows x, bool isOfPairs, int columns, bool halves, QuantizedRows result) : IComputeJob
    where T : struct, ILanes<T>
{
    public readonly void Run(int tile, int thread)
    {
        (int first, int count) = plan.Tile(tile);
        var quantize = new Quantize<T>(x, columns, count, halves, inRows: false, result);
        for (int i = 0; i < count; i++)
            quantize.QuantizeRow(x[isOfPairs ? first + i : plan.Row(first + i)], result[tile], count * QuantizedRows.GroupBytes, i, count);
    }
}
