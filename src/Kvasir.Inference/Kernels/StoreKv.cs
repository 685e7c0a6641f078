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
        KvLayer shape = layout.Layers[layer];
        int keyBytes = layout.KeyRowBytes(layer), valueBytes = layout.ValueRowBytes(layer), token = position % layout.BlockTokens;
        byte* block = table.Address((position - table.Start) / layout.BlockTokens); // a view's prefix is whole blocks
        for (int head = 0; head < shape.KvHeads; head++)
        {
            byte* key = block + layout.KeyOffset(layer, head) + token * keyBytes;
            byte* value = block + layout.ValueOffset(layer, head) + token * valueBytes;
            layout.KeyCodec.Encode(new(keys[row] + head * shape.KeyDim, shape.KeyDim), new(key, keyBytes));
            layout.ValueCodec.Encode(new(values[row] + head * shape.ValueDim, shape.ValueDim), new(value, valueBytes));
        }
    }
}
