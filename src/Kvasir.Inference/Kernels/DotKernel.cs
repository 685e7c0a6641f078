using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// The product of quantised weights with activations of eight bits: for each token and output, group by group in ascending order,
/// <c>y = fma(Σ w·x, scale_w · scale_x, y)</c> (twice where a scale counts for sixteen inputs) and, where weights have a minimum,
/// <c>y = fma(minimum, scale_x · Σ x, y)</c>. The sums over the group are of integers and exact, so every kernel gives the same bits.
/// </summary>
abstract unsafe class DotKernel
{
    /// <summary>Multiplies one panel with all tokens.</summary>
    /// <param name="w">The matrix, quantised.</param>
    /// <param name="panel">Which panel.</param>
    /// <param name="x">Activations.</param>
    /// <param name="firstTile">The tile that they begin with.</param>
    /// <param name="tokens">Tokens.</param>
    /// <param name="start">What every token's sums start from, [32 outputs].</param>
    /// <param name="y">Result, [tokens, 32 outputs].</param>
    /// <param name="yStride">Bytes from one token's sums to the next.</param>
    /// <param name="scratch">Memory of the calling thread.</param>
    public abstract void Multiply(PackedMatrix w, int panel, QuantizedRows x, int firstTile, int tokens, float* start, float* y,
        nint yStride, PanelScratch scratch);

    /// <summary>Adds the product of a panel of halves with one token to y, [64]; false where that is better done in lanes.</summary>
    public virtual bool MultiplyAddHalves(byte* panel, int columns, float* x, float* y) => false;
}
