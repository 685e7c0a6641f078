using System.Runtime.CompilerServices;
using Kvasir.Inference.Formats;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>Products with a panel of f32, f16 or bf16 weights, which become floats on the way: one chain of multiply-adds for each output.</summary>
static unsafe class FloatPanel
{
    /// <summary>Inputs that are widened together for many tokens: 32 KiB of floats.</summary>
    public const int ColumnsAtOnce = 128;

    const int FewTokens = 4;

    /// <summary>Multiplies a panel with all tokens: y, [tokens, 64], starts from the same 64 floats for each.</summary>
    public static void Multiply<T>(PackedMatrix w, int panel, FloatRows x, int tokens, float* start, float* y, int yStride, FloatRows widened) where T : struct, ILanes<T>
    {
        switch (w.Type)
        {
            case TensorType.F32: Multiply<T, SingleWeights<T>>(w.Panel(panel), w.Columns, x, tokens, start, y, yStride, widened); break;
            case TensorType.F16: Multiply<T, HalfWeights<T>>(w.Panel(panel), w.Columns, x, tokens, start, y, yStride, widened); break;
            default: Multiply<T, BrainHalfWeights<T>>(w.Panel(panel), w.Columns, x, tokens, start, y, yStride, widened); break;
        }
    }

    static void Multiply<T, TWeights>(byte* panel, int columns, FloatRows x, int tokens, float* start, float* y, int yStride, FloatRows widened)
        where T : struct, ILanes<T> where TWeights : struct, IWeightFormat<T>
    {
        for (int token = 0; token < tokens; token++)
            Copy<T>(start, y + (long)token * yStride);
        if (tokens < FewTokens)
            for (int token = 0; token < tokens; token++)
                MultiplyAddOne<T, TWeights>(panel, columns, x[token], y + (long)token * yStride);
        else
            for (int column = 0; column < columns; column += ColumnsAtOnce)
            {
                int stretch = Math.Min(ColumnsAtOnce, columns - column);
                Widen<T, TWeights>(panel + (long)column * FloatPanels.PanelOutputs * TWeights.Bytes, stretch * FloatPanels.PanelOutputs, widened[0]);
                RowsByPanel<T>.MultiplyAdd(x[0] + column, x.Stride, tokens, widened[0], FloatPanels.PanelOutputs, stretch, y, yStride, FloatPanels.PanelOutputs);
            }
    }

    static void Copy<T>(float* source, float* destination) where T : struct, ILanes<T>
    {
        for (int i = 0; i < FloatPanels.PanelOutputs; i += ILanes<T>.Count)
            T.Store(T.Load(source + i), destination + i);
    }

    static void Widen<T, TWeights>(byte* weights, int count, float* widened) where T : struct, ILanes<T> where TWeights : struct, IWeightFormat<T>
    {
        for (int i = 0; i < count; i += ILanes<T>.Count)
            T.Store(TWeights.Load(weights + i * TWeights.Bytes), widened + i);
    }

    // Reading the weights is all the work: they widen in registers.
    [MethodImpl(MethodImplOptions.NoInlining)]
    static void MultiplyAddOne<T, TWeights>(byte* w, int columns, float* x, float* y) where T : struct, ILanes<T> where TWeights : struct, IWeightFormat<T>
    {
        const int lanes = ILanes<T>.Count;
        T a = T.Load(y), b = T.Load(y + lanes), c = T.Load(y + 2 * lanes), d = T.Load(y + 3 * lanes);
        for (int i = 0; i < columns; i++, w += FloatPanels.PanelOutputs * TWeights.Bytes)
        {
            T broadcast = T.Broadcast(x[i]);
            a = T.MultiplyAdd(TWeights.Load(w), broadcast, a);
            b = T.MultiplyAdd(TWeights.Load(w + lanes * TWeights.Bytes), broadcast, b);
            c = T.MultiplyAdd(TWeights.Load(w + 2 * lanes * TWeights.Bytes), broadcast, c);
            d = T.MultiplyAdd(TWeights.Load(w + 3 * lanes * TWeights.Bytes), broadcast, d);
        }
        T.Store(a, y);
        T.Store(b, y + lanes);
        T.Store(c, y + 2 * lanes);
        T.Store(d, y + 3 * lanes);
    }
}
