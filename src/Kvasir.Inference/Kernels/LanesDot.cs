using System.Runtime.CompilerServices;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// <see cref="DotKernel"/> over sixteen lanes: half of the panel's outputs at a time, four tokens together or one alone. Weights become bytes stretch by
/// stretch, so that what was unpacked serves all tokens from the nearest cache.
/// </summary>
sealed unsafe class LanesDot<T> : DotKernel where T : struct, ILanes<T>
{
    const int Quads = 8, QuadBytes = QuantizedPanels.UnpackedBytes / Quads;

    struct Operands
    {
        public byte* Quants; // [groups][8 quads][32 outputs][4], unsigned
        public float* Scales; // [groups][1 or 2][32 outputs]
        public float* Minimums; // [groups][32 outputs]
        public byte* X; // groups of a tile of activations
        public float* Y; // [tokens][32 outputs]
        public nint YStride; // bytes
        public int Groups;
        public DotKind Kind;
    }

    public override void Multiply(PackedMatrix w, int panel, QuantizedRows x, int tokens, float* start, float* y, nint yStride, PanelScratch scratch)
    {
        var format = (QuantizedPanels)w.Format;
        int groups = QuantizedRows.Groups(w.Columns);
        for (int token = 0; token < tokens; token++)
            new Span<float>(start, QuantizedPanels.PanelOutputs).CopyTo(new((byte*)y + token * yStride, QuantizedPanels.PanelOutputs));
        for (int group = 0; group < groups; group += PanelScratch.Groups)
        {
            int stretch = Math.Min(PanelScratch.Groups, groups - group);
            format.Unpack(w.Panel(panel), group, stretch, scratch);
            Operands operands = new() { Quants = scratch.Quants, Scales = scratch.Scales, Minimums = scratch.Minimums, YStride = yStride, Groups = stretch, Kind = format.Kind };
            for (int tile = 0; tile < QuantizedRows.Tiles(tokens); tile++)
            {
                int inTile = QuantizedRows.TokensOf(tile, tokens);
                operands.X = x[tile] + (long)group * inTile * QuantizedRows.GroupBytes;
                operands.Y = (float*)((byte*)y + tile * QuantizedRows.Tile * yStride);
                MultiplyTile(operands, inTile);
            }
        }
    }

    static void MultiplyTile(Operands half, int tokens)
    {
        for (int outputs = 0; outputs < QuantizedPanels.PanelOutputs; outputs += ILanes<T>.Count)
        {
            if (tokens == QuantizedRows.Tile)
                Four(in half);
            else
                for (int token = 0; token < tokens; token++)
                    One(in half, token, tokens);
            half.Quants += ILanes<T>.Count * 4;
            half.Scales += ILanes<T>.Count;
            half.Minimums += ILanes<T>.Count;
            half.Y += ILanes<T>.Count;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void Four(in Operands o)
    {
        const int count = QuantizedRows.Tile;
        byte* w = o.Quants, x = o.X;
        float* scales = o.Scales, minimums = o.Minimums, y0 = o.Y, y1 = Next(y0, o.YStride), y2 = Next(y1, o.YStride), y3 = Next(y2, o.YStride);
        int parts = o.Kind.Scales == DotScales.ScaledSixteens ? 2 : 1, quads = Quads / parts;
        T a = T.Load(y0), b = T.Load(y1), c = T.Load(y2), d = T.Load(y3);
        for (int group = 0; group < o.Groups; group++, x += count * QuantizedRows.GroupBytes)
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
            if (o.Kind.HasMinimums)
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
    static void One(in Operands o, int token, int count)
    {
        byte* w = o.Quants, x = o.X;
        float* scales = o.Scales, minimums = o.Minimums, y = (float*)((byte*)o.Y + token * o.YStride);
        int parts = o.Kind.Scales == DotScales.ScaledSixteens ? 2 : 1, quads = Quads / parts;
        T sum = T.Load(y);
        for (int group = 0; group < o.Groups; group++, x += count * QuantizedRows.GroupBytes)
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
            if (o.Kind.HasMinimums)
            {
                sum = T.MultiplyAdd(T.Load(minimums), T.Broadcast(((float*)(x + count * QuantizedRows.ScaledSums))[token]), sum);
                minimums += QuantizedPanels.PanelOutputs;
            }
        }
        T.Store(sum, y);
    }

    static float* Next(float* y, nint stride) => (float*)((byte*)y + stride);
}
