using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>What becomes of the probabilities with which rows look at positions.</summary>
enum Observation
{
    /// <summary>
    /// The largest over rows and query heads: one row of <c>seen</c> for each KV head; and their sum, in a row half of its rows further on.
    /// </summary>
    Largest,

    /// <summary>The sum over rows and query heads, in their order: one row of <c>seen</c> for each KV head.</summary>
    Sum,

    /// <summary>All: a row of <c>seen</c> for each query head and row, [KV head, query head of the group, row].</summary>
    Rows,
}

/// <summary>
/// Looks once more at what rows of one sequence have attended to, one KV head and tile of positions after the other: a column is gathered
/// by one thread, in the order of the rows, so bits depend on neither threads nor passes. Apart from attention itself, which stays as fast
/// as it is.
/// </summary>
/// <param name="input">The attention that was computed, with its scales.</param>
/// <param name="observation">What is wanted.</param>
/// <param name="seen">Receives it, or is added to: [as <see cref="Observation"/> says, positions].</param>
/// <param name="firstSeen">Its first row that is the layer's.</param>
/// <param name="firstTile">The tile of the first item.</param>
/// <param name="scratch">A thread's memory.</param>
unsafe struct ObserveAttention<T>(
    AttentionInput input, Observation observation, FloatRows seen, int firstSeen, int firstTile, AttentionScratch[] scratch)
    : IComputeJob where T : struct, ILanes<T>
{
    const int Tile = AttentionInput.Tile;

    public readonly void Run(int item, int thread)
    {
        (int kvHead, int start) = (item % input.KvHeads, (firstTile + item / input.KvHeads) * Tile);
        foreach (RowRun run in input.Runs)
        {
            var source = new BlockRows(input, run, kvHead);
            if (source.End(run.FirstRow + run.Rows - 1) <= start)
                continue;
            var attention = new StretchAttention<T, BlockRows>(input, run, source, kvHead, scratch[thread]);
            attention.LoadQueries();
            attention.Probabilities(start, input.Scales!);
            for (int row = 0; row < attention.Rows; row++)
                Take(scratch[thread].Weights[row], kvHead, run.FirstRow + row / input.Group, row % input.Group, start);
        }
    }

    readonly void Take(float* weights, int kvHead, int row, int head, int start)
    {
        int count = FloatRows.PadToLanes(Math.Min(Tile, seen.Width - start)), ofRows = (kvHead * input.Group + head) * input.Rows + row;
        float* to = seen[firstSeen + (observation == Observation.Rows ? ofRows : kvHead)] + start;
        if (observation != Observation.Largest)
            Store(weights, to, count, observation == Observation.Sum);
        else
        {
            for (int i = 0; i < count; i += ILanes<T>.Count)
                T.Store(T.Max(T.Load(to + i), T.Load(weights + i)), to + i);
            Store(weights, seen[firstSeen + kvHead + seen.Rows / 2] + start, count, adds: true);
        }
    }

    static void Store(float* weights, float* to, int count, bool adds)
    {
        for (int i = 0; i < count; i += ILanes<T>.Count)
            T.Store(adds ? T.Load(to + i) + T.Load(weights + i) : T.Load(weights + i), to + i);
    }
}
