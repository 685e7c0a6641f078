using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// The product of quantised weights with activations of eight bits: for each token and output, group by group in ascending order,
/// <c>y = fma(Σ w·x, scale_w · scale_x, y)</c> (twice where a scale counts for sixteen inputs) and, where weights have a minimum,
/// <c>y = fma(minimum, scale_x · Σ x, y)</c>. The sums over the group are of integers and exact, so every kernel gives the same bits.
/// </summary>
abstract unsafe class DotKernel
{
    /// <summary>Multiplies some panels.</summary>
    /// <param name="product">A product of quantised weights.</param>
    /// <param name="first">The first panel.</param>
    /// <param name="end">The one after the last.</param>
    /// <param name="own">Memory of the calling thread.</param>
    public abstract void Multiply(in RowsProduct product, int first, int end, MatMulScratch own);

    /// <summary>Whether so many tokens are to be in rows, see <see cref="QuantizedRows"/>.</summary>
    public virtual bool WantsRows(int tokens) => false;

    /// <summary>Panels that gain from being multiplied together, at most.</summary>
    public virtual int PanelsAtOnce(int tokens) => 1;

    /// <summary>Adds the product of a panel of halves with one token to y, [64]; false where that is better done in lanes.</summary>
    public virtual bool MultiplyAddHalves(byte* panel, int columns, float* x, float* y) => false;
}
