using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>Runs the code of a <see cref="TileRoutine"/>.</summary>
unsafe delegate void RunTiles(TileKind kind, TileOperands* operands);

/// <summary>
/// <see cref="DotKernel"/> with the tiles of AMX, whose <c>tdpbssd</c> multiplies up to sixteen tokens with sixteen outputs at once. As
/// tiles hold integers of a group only, most of the work is to scale them. Weights become signed bytes first, stretch by stretch, so few
/// tokens are left to another kernel. The panels of an item share a stretch of activations, which thus comes once from beyond the
/// second cache for all of them.
/// </summary>
/// <param name="few">The kernel for few tokens.</param>
/// <param name="run">Runs the code.</param>
/// <param name="leastTokens">Fewer are few.</param>
sealed unsafe class TileDot(DotKernel few, RunTiles run, int leastTokens = TileDot.LeastTokens) : DotKernel
{
    /// <summary>From so many tokens on, unpacking weights to memory should take less time than tiles save: decision 18.</summary>
    public const int LeastTokens = 16;

    const int GroupsAtOnce = 16; // half of the nearest cache, beside a tile's activations
    const int MostPanels = 4;

    public override bool WantsRows(int tokens) => tokens >= leastTokens;

    public override int PanelsAtOnce(int tokens) => WantsRows(tokens) ? MostPanels : few.PanelsAtOnce(tokens);

    public override bool MultiplyAddHalves(byte* panel, int columns, float* x, float* y) => few.MultiplyAddHalves(panel, columns, x, y);

    public override void Multiply(in RowsProduct product, int first, int end, MatMulScratch own)
    {
        if (!product.InRows)
        {
            few.Multiply(product, first, end, own);
            return;
        }
        int groups = QuantizedRows.Groups(product.W.Columns);
        for (int panel = first; panel < end; panel++)
            Start(product, panel, own);
        for (int group = 0; group < groups; group += GroupsAtOnce)
            for (int panel = first; panel < end; panel++)
                MultiplyStretch(product, panel, group, Math.Min(GroupsAtOnce, groups - group), own.Panel);
    }

    static void Start(in RowsProduct product, int panel, MatMulScratch own)
    {
        Span<float> start = new(product.Start(panel, own), QuantizedPanels.PanelOutputs);
        float* y = product.Outputs(panel);
        for (int token = 0; token < product.Rows; token++, y += product.YStride)
            start.CopyTo(new(y, QuantizedPanels.PanelOutputs));
    }

    void MultiplyStretch(in RowsProduct product, int panel, int group, int groups, PanelScratch scratch)
    {
        QuantizedRows x = product.Quantized!;
        var format = (QuantizedPanels)product.W.Format;
        format.UnpackSigned(product.W.Panel(panel), group, groups, scratch);
        TileOperands operands = new()
        {
            Quants = scratch.Quants, Scales = scratch.Scales, Minimums = scratch.Minimums, Sums = scratch.Tiles, Groups = groups,
            XStride = x.RowsStride, YStride = product.YStride * sizeof(float),
        };
        (int tiles, int rest) = Math.DivRem(product.Rows, QuantizedRows.RowTile);
        operands.Y = product.Outputs(panel);
        if (tiles > 0)
            MultiplyTiles(operands, format.Kind, x, group, 0, tiles, QuantizedRows.RowTile);
        operands.Y += product.YStride * tiles * QuantizedRows.RowTile;
        if (rest > 0)
            MultiplyTiles(operands, format.Kind, x, group, tiles, 1, rest);
    }

    void MultiplyTiles(TileOperands operands, DotKind weights, QuantizedRows x, int group, int first, int tiles, int tokens)
    {
        TileKind kind = new(weights.Parts, weights.HasMinimums, tokens);
        kind.Shape(ref operands.Shapes);
        operands.X = x.Rows(first) + (long)group * QuantizedRows.RowGroupBytes(tokens);
        operands.Tiles = tiles;
        run(kind, &operands);
    }
}
