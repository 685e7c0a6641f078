using System.Runtime.CompilerServices;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>One product of a step: <c>y = w · x + bias</c> for the x that it shares with others.</summary>
/// <param name="W">Weights, [outputs, inputs].</param>
/// <param name="Bias">Added to every token's outputs, [outputs].</param>
/// <param name="Y">Result, [tokens, outputs].</param>
readonly unsafe record struct Product(PackedMatrix W, FloatRows? Bias, FloatRows Y)
{
    /// <summary>With all rows of the activations.</summary>
    public RowsProduct Of(FloatRows x, QuantizedRows quantized, bool inRows, int tokens) => new()
    {
        W = W, Bias = Bias is null ? null : Bias[0], X = x[0], XStride = x.Stride, Quantized = quantized, InRows = inRows,
        Rows = tokens, Y = Y[0], YStride = Y.Stride,
    };
}

/// <summary>Products that read the same activations, in one job: fewer meetings of threads than one job each.</summary>
[InlineArray(Most)]
struct Products
{
    public const int Most = 3; // queries, keys and values

    Product _first;
}

/// <summary>A thread's memory for <see cref="MatMul{T}"/>.</summary>
sealed class MatMulScratch : IDisposable
{
    public PanelScratch Panel { get; } = new();
    public FloatRows Widened { get; } = new(FloatProduct.PanelsAtOnce * FloatProduct.ColumnsAtOnce, FloatPanels.PanelOutputs);
    public FloatRows Zeros { get; } = new(1, FloatPanels.PanelOutputs); // what sums start from where there is no bias

    public void Dispose()
    {
        Panel.Dispose();
        Widened.Dispose();
        Zeros.Dispose();
    }
}

/// <summary>
/// <c>y[t, o] = Σ_i w[o, i] · x[t, i] + bias[o]</c> for every token <c>t</c>. An item is one panel of outputs, or several where a panel is
/// little work. Every output is one chain of operations over ascending inputs that starts from its bias; how many tokens there are, and
/// which of them share a tile, changes nothing.
/// </summary>
/// <param name="products">The products.</param>
/// <param name="panelsPerItem">How each product's panels are cut into items.</param>
/// <param name="count">How many products.</param>
/// <param name="x">Activations, [tokens, inputs].</param>
/// <param name="quantized">The same as bytes, when any product wants them so.</param>
/// <param name="tokens">Tokens.</param>
/// <param name="dot">The kernel for bytes.</param>
/// <param name="scratch">Memory of each thread.</param>
unsafe struct MatMul<T>(Products products, PanelsPerItem panelsPerItem, int count, FloatRows x, QuantizedRows quantized, int tokens,
    DotKernel dot, MatMulScratch[] scratch)
    : IComputeJob where T : struct, ILanes<T>
{
    public readonly void Run(int item, int thread)
    {
        int product = 0;
        for (; product < count - 1 && item >= Items(products[product].W, panelsPerItem[product]); product++)
            item -= Items(products[product].W, panelsPerItem[product]);
        Product chosen = products[product];
        int perItem = panelsPerItem[product], first = item * perItem, end = Math.Min(chosen.W.Panels, first + perItem);
        chosen.Of(x, quantized, dot.WantsRows(tokens), tokens).Multiply<T>(first, end, dot, scratch[thread]);
    }

    public static int Items(PackedMatrix w, int panelsPerItem) => (w.Panels + panelsPerItem - 1) / panelsPerItem;
}

/// <summary>For each product of a job, how many panels make an item.</summary>
[InlineArray(Products.Most)]
struct PanelsPerItem
{
    const int Bytes = 256 << 10; // long stretches of memory for each thread
    const int ItemsPerThread = 8; // yet enough of them that no thread waits long for the last

    int _first;

    public static int For(PackedMatrix w, int tokens, int threads, DotKernel dot)
    {
        int most = w.Panels / (threads * ItemsPerThread);
        if (tokens >= QuantizedRows.Tile)
            return Math.Clamp(most, 1, w.IsQuantized ? dot.PanelsAtOnce(tokens) : FloatProduct.PanelsAtOnce);
        return (int)Math.Clamp(Math.Min(Bytes / (w.Bytes / w.Panels), most), 1, w.Panels);
    }
}
