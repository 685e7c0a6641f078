using System.Runtime.CompilerServices;
using Kvasir.Formats;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>Sizes of <see cref="FloatProduct{T}"/>'s scratch memory.</summary>
static class FloatProduct
{
    /// <summary>Inputs that are widened together for many tokens: 32 KiB of floats for a panel.</summary>
    public const int ColumnsAtOnce = 128;

    /// <summary>Panels that are widened together, so that activations are fetched once for all of them.</summary>
    public const int PanelsAtOnce = 4;
}

/// <summary>
/// Products of panels of f32, f16 or bf16 weights, which become floats on the way: every output is one chain of
/// multiply-adds over ascending inputs.
/// </summary>
readonly unsafe struct FloatProduct<T>(RowsProduct product, DotKernel dot, MatMulScratch scratch) where T : struct, ILanes<T>
{
    const int FewTokens = 4, TokensAtOnce = 32; // whose activations, and 128 inputs, stay in the nearest cache
    const int Outputs = FloatPanels.PanelOutputs, ColumnsAtOnce = FloatProduct.ColumnsAtOnce, Lane = ILanes<T>.Count;

    /// <summary>
    /// Multiplies some panels with all tokens; at most <see cref="FloatProduct.PanelsAtOnce"/> when there are many tokens.
    /// </summary>
    public void Multiply(int first, int end)
    {
        switch (product.W.Type)
        {
            case TensorType.F32: Multiply<SingleWeights<T>>(first, end); break;
            case TensorType.F16: Multiply<HalfWeights<T>>(first, end); break;
            default: Multiply<BrainHalfWeights<T>>(first, end); break;
        }
    }

    void Multiply<TWeights>(int first, int end) where TWeights : struct, IWeightFormat<T>
    {
        for (int panel = first; panel < end; panel++)
            for (int token = 0; token < product.Rows; token++)
                Copy(product.Start(panel, scratch), Y(panel, token));
        if (product.Rows < FewTokens)
            for (int panel = first; panel < end; panel++)
                for (int token = 0; token < product.Rows; token++)
                    MultiplyOne<TWeights>(panel, token);
        else
            for (int column = 0; column < product.W.Columns; column += ColumnsAtOnce)
                MultiplyStretch<TWeights>(first, end, column, Math.Min(ColumnsAtOnce, product.W.Columns - column));
    }

    void MultiplyStretch<TWeights>(int first, int end, int column, int columns) where TWeights : struct, IWeightFormat<T>
    {
        for (int panel = first; panel < end; panel++)
            Widen<TWeights>(product.W.Panel(panel) + (long)column * Outputs * TWeights.Bytes, columns * Outputs, Widened(panel - first));
        for (int token = 0; token < product.Rows; token += TokensAtOnce)
            for (int panel = first; panel < end; panel++)
                RowsByPanel<T>.MultiplyAdd(
                    X(token) + column, product.XStride, Math.Min(TokensAtOnce, product.Rows - token), Widened(panel - first), Outputs,
                    columns, Y(panel, token), product.YStride, Outputs);
    }

    void MultiplyOne<TWeights>(int panel, int token) where TWeights : struct, IWeightFormat<T>
    {
        byte* w = product.W.Panel(panel);
        if (typeof(TWeights) != typeof(HalfWeights<T>) || !dot.MultiplyAddHalves(w, product.W.Columns, X(token), Y(panel, token)))
            MultiplyOne<TWeights>(w, product.W.Columns, X(token), Y(panel, token));
    }

    float* X(int token) => product.X + token * product.XStride;

    float* Y(int panel, int token) => product.Outputs(panel) + token * product.YStride;

    float* Widened(int i) => scratch.Widened[i * ColumnsAtOnce];

    static void Copy(float* source, float* destination)
    {
        for (int i = 0; i < Outputs; i += Lane)
            T.Store(T.Load(source + i), destination + i);
    }

    static void Widen<TWeights>(byte* weights, int count, float* widened) where TWeights : struct, IWeightFormat<T>
    {
        for (int i = 0; i < count; i += Lane)
            T.Store(TWeights.Load(weights + i * TWeights.Bytes), widened + i);
    }

    // Reading the weights is all the work: they widen in registers.
    [MethodImpl(MethodImplOptions.NoInlining)]
    static void MultiplyOne<TWeights>(byte* w, int columns, float* x, float* y) where TWeights : struct, IWeightFormat<T>
    {
        T a = T.Load(y), b = T.Load(y + Lane), c = T.Load(y + 2 * Lane), d = T.Load(y + 3 * Lane);
        for (int i = 0; i < columns; i++, w += Outputs * TWeights.Bytes)
        {
            T broadcast = T.Broadcast(x[i]);
            a = T.MultiplyAdd(TWeights.Load(w), broadcast, a);
            b = T.MultiplyAdd(TWeights.Load(w + Lane * TWeights.Bytes), broadcast, b);
            c = T.MultiplyAdd(TWeights.Load(w + 2 * Lane * TWeights.Bytes), broadcast, c);
            d = T.MultiplyAdd(TWeights.Load(w + 3 * Lane * TWeights.Bytes), broadcast, d);
        }
        T.Store(a, y);
        T.Store(b, y + Lane);
        T.Store(c, y + 2 * Lane);
        T.Store(d, y + 3 * Lane);
    }
}
