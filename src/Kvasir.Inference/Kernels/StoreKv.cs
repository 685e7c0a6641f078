using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache;
using Kvasir.KvCache.Layout;

namespace Kvasir.Inference.Kernels;

/// <summary>Consecutive rows of a batch that are tokens of one sequence.</summary>
/// <param name="Table">The sequence's blocks.</param>
/// <param name="FirstRow">First row of the batch.</param>
/// <param name="Rows">How many.</param>
readonly record struct RowRun(BlockTable Table, int FirstRow, int Rows);

/// <summary>Writes each token's keys and values of one layer to their place in the sequence's blocks.</summary>
unsafe struct StoreKv(KvLayout layout, int layer, List<RowRun> runs, List<int> positions, FloatRows keys, FloatRows values) : IComputeJob
{
    public readonly void Run(int item, int thread)
    {
        RowRun run = runs[item];
        for (int row = run.FirstRow; row < run.FirstRow + run.Rows; row++)
            StoreToken(run.Table, row, positions[row]);
    }

    readonly void StoreToken(BlockTable table, int row, int position)
    {
        int rowBytes = layout.RowBytes(layer), dim = layout.Layers[layer].HeadDim;
        byte* block = table.Address(position / layout.BlockTokens) + position % layout.BlockTokens * rowBytes;
        for (int head = 0; head < layout.Layers[layer].KvHeads; head++)
        {
            layout.Codec.Encode(new(keys[row] + head * dim, dim), new(block + layout.KeyOffset(layer, head), rowBytes));
            layout.Codec.Encode(new(values[row] + head * dim, dim), new(block + layout.ValueOffset(layer, head), rowBytes));
        }
    }
}
