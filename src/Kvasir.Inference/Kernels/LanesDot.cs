using System.Runtime.CompilerServices;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary><see cref="DotKernel"/> over sixteen lanes: half of the panel's outputs at a time, four tokens together or one alone.</summary>
sealed unsafe class LanesDot<T> : DotKernel where T : struct, ILanes<T>
{
    const int Quads = 8, QuadBytes = QuantizedPanels.GroupBytes / Quads;

    public override void Run(ref DotOperands operands, DotKind kind, int tokens)
    {
        DotOperands half = operands;
        for (int outputs = 0; outputs < QuantizedPanels.PanelOutputs; outputs += ILanes<T>.Count)
        {
            if (tokens == QuantizedRows.Tile)
                Four(in half, kind.Scales);
            else
                for (int token = 0; token < tokens; token++)
                    One(in half, kind.Scales, token, tokens);
            half.Quants += ILanes<T>.Count * 4;
            half.Scales += ILanes<T>.Count;
            half.Minimums += ILanes<T>.Count;
            half.Y += ILanes<T>.Count;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void Four(in DotOperands o, DotScales kind)
    {
        const int count = QuantizedRows.Tile;
        byte* w = o.Quants, x = o.X;
        float* scales = o.Scales, minimums = o.Minimums, y0 = o.Y, y1 = Next(y0, o.YStride), y2 = Next(y1, o.YStride), y3 = Next(y2, o.YStride);
        int parts = kind == DotScales.Sixteens ? 2 : 1, quads = Quads / parts;
        T a = T.Load(y0), b = T.Load(y1), c = T.Load(y2), d = T.Load(y3);
        for (nint group = 0; group < o.Groups; group++, x += count * QuantizedRows.GroupBytes)
        {
            float* scaleX = (float*)(x + count * QuantizedRows.Scales);
            int* offsets = (int*)(x + count * (parts == 2 ? QuantizedRows.HalfOffsets : QuantizedRows.Offsets)), quad = (int*)x;
            for (int part = 0; part < parts; part++, offsets += count, scales += QuantizedPanels.PanelOutputs)
            {
                T s = T.BroadcastInteger(offsets[0]), t = T.BroadcastInteger(offsets[1]), u = T.BroadcastInteger(offsets[2]), v = T.BroadcastInteger(offsets[3]);
                for (int i = 0; i < quads; i++, w += QuadBytes, quad += count)
                {
                    T.LoadBytePairs(w, out T even, out T odd);
                    s = T.AddDotProducts(s, even, odd, quad[0]);
                    t = T.AddDotProducts(t, even, odd, quad[1]);
                    u = T.AddDotProducts(u, even, odd, quad[2]);
                    v = T.AddDotProducts(v, even, odd, quad[3]);
                }
                T scale = T.Load(scales);
                a = T.MultiplyAdd(T.ConvertToSingle(s), scale * T.Broadcast(scaleX[0]), a);
                b = T.MultiplyAdd(T.ConvertToSingle(t), scale * T.Broadcast(scaleX[1]), b);
                c = T.MultiplyAdd(T.ConvertToSingle(u), scale * T.Broadcast(scaleX[2]), c);
                d = T.MultiplyAdd(T.ConvertToSingle(v), scale * T.Broadcast(scaleX[3]), d);
            }
            if (kind == DotScales.WithMinimums)
            {
                T minimum = T.Load(minimums);
                float* sums = (float*)(x + count * QuantizedRows.ScaledSums);
                a = T.MultiplyAdd(minimum, T.Broadcast(sums[0]), a);
                b = T.MultiplyAdd(minimum, T.Broadcast(sums[1]), b);
                c = T.MultiplyAdd(minimum, T.Broadcast(sums[2]), c);
                d = T.MultiplyAdd(minimum, T.Broadcast(sums[3]), d);
                minimums += QuantizedPanels.PanelOutputs;
            }
        }
        T.Store(a, y0);
        T.Store(b, y1);
        T.Store(c, y2);
        T.Store(d, y3);
    }

    /// <summary>One of a tile's tokens.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    static void One(in DotOperands o, DotScales kind, int token, int count)
    {
        byte* w = o.Quants, x = o.X;
        float* scales = o.Scales, minimums = o.Minimums, y = (float*)((byte*)o.Y + token * o.YStride);
        int parts = kind == DotScales.Sixteens ? 2 : 1, quads = Quads / parts;
        T sum = T.Load(y);
        for (nint group = 0; group < o.Groups; group++, x += count * QuantizedRows.GroupBytes)
        {
            float scaleX = ((float*)(x + count * QuantizedRows.Scales))[token];
            int* offsets = (int*)(x + count * (parts == 2 ? QuantizedRows.HalfOffsets : QuantizedRows.Offsets)) + token, quad = (int*)x + token;
            for (int part = 0; part < parts; part++, offsets += count, scales += QuantizedPanels.PanelOutputs)
            {
                T integers = T.BroadcastInteger(offsets[0]);
                for (int i = 0; i < quads; i++, w += QuadBytes, quad += count)
                {
                    T.LoadBytePairs(w, out T even, out T odd);
                    integers = T.AddDotProducts(integers, even, odd, quad[0]);
                }
                sum = T.MultiplyAdd(T.ConvertToSingle(integers), T.Load(scales) * T.Broadcast(scaleX), sum);
            }
            if (kind == DotScales.WithMinimums)
            {
                sum = T.MultiplyAdd(T.Load(minimums), T.Broadcast(((float*)(x + count * QuantizedRows.ScaledSums))[token]), sum);
                minimums += QuantizedPanels.PanelOutputs;
            }
        }
        T.Store(sum, y);
    }

    static float* Next(float* y, nint stride) => (float*)((byte*)y + stride);
}
