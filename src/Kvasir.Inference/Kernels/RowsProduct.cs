using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>One matrix, and consecutive rows of activations that it is multiplied with: <c>y = w · x + bias</c>.</summary>
unsafe struct RowsProduct
{
    /// <summary>Weights, [outputs, inputs].</summary>
    public required PackedMatrix W;

    /// <summary>What every row's sums start from, [outputs]; null for zeros.</summary>
    public float* Bias;

    /// <summary>The first row, where weights are floats.</summary>
    public float* X;

    /// <summary>Floats from one row to the next.</summary>
    public nint XStride;

    /// <summary>The rows as bytes, where weights are quantised.</summary>
    public QuantizedRows? Quantized;

    /// <summary>The tile that they begin with.</summary>
    public int Tile;

    /// <summary>Whether they are in rows there, see <see cref="DotKernel.WantsRows"/>.</summary>
    public bool InRows;

    /// <summary>How many rows there are.</summary>
    public required int Rows;

    /// <summary>The first row's result.</summary>
    public required float* Y;

    /// <summary>Floats from one row's result to the next.</summary>
    public required nint YStride;

    /// <summary>The panel whose outputs come first there.</summary>
    public int FirstPanel;

    /// <summary>The first row's outputs of a panel.</summary>
    public readonly float* Outputs(int panel) => Y + (panel - FirstPanel) * W.Format.Outputs;

    /// <summary>What a panel's sums start from.</summary>
    public readonly float* Start(int panel, MatMulScratch own) => Bias == null ? own.Zeros[0] : Bias + panel * W.Format.Outputs;

    /// <summary>Multiplies some panels; at most <see cref="FloatProduct.PanelsAtOnce"/> of floats when there are many rows.</summary>
    public readonly void Multiply<T>(int first, int end, DotKernel dot, MatMulScratch own) where T : struct, ILanes<T>
    {
        if (!W.IsQuantized)
            new FloatProduct<T>(this, dot, own).Multiply(first, end);
        else
            dot.Multiply(this, first, end, own);
    }
}
