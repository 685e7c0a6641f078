using System.Runtime.CompilerServices;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// <see cref="DotKernel"/> over sixteen lanes: four tokens together, for half of the panel's outputs at a time, or one alone. Weights
/// become bytes stretch by stretch, so that what was unpacked serves all tokens from the nearest cache.
/// </summary>
sealed unsafe class LanesDot<T> : DotKernel where T : struct, ILanes<T>
{
    const int Lane = ILanes<T>.Count, Quads = 8, QuadBytes = QuantizedPanels.UnpackedBytes / Quads;

    struct Operands
    {
        public byte* Quants; // [8 quads][32 outputs][4], unsigned
        public int QuantStride; // bytes to the next group's
        public float* Scales; // [groups][1 or 2][32 outputs]
        public float* Minimums; // likewise
        public byte* X; // groups of a tile of activations
        public float* Y; // [tokens][32 outputs]
        public nint YStride; // bytes
        public int Groups;
        public DotKind Kind;
    }

    public override void Multiply(in RowsProduct product, int first, int end, MatMulScratch own)
    {
        for (int panel = first; panel < end; panel++)
            Multiply(product, panel, product.Start(panel, own), product.Outputs(panel), product.YStride * sizeof(float), own.Panel);
    }

    static void Multiply(in RowsProduct product, int panel, float* start, float* y, nint yStride, PanelScratch scratch)
    {
        (PackedMatrix w, int tokens) = (product.W, product.Rows);
        var format = (QuantizedPanels)w.Format;
        int groups = QuantizedRows.Groups(w.Columns);
        for (int token = 0; token < tokens; token++)
            new Span<float>(start, QuantizedPanels.PanelOutputs).CopyTo(new((byte*)y + token * yStride, QuantizedPanels.PanelOutputs));
        for (int group = 0; group < groups; group += PanelScratch.Groups)
        {
            int stretch = Math.Min(PanelScratch.Groups, groups - group);
            byte* quants = format.Unpack(w.Panel(panel), group, stretch, scratch, out int quantStride);
            Operands operands = new()
            {
                Quants = quants, QuantStride = quantStride, Scales = scratch.Scales, Minimums = scratch.Minimums, YStride = yStride,
                Groups = stretch, Kind = format.Kind,
            };
            for (int tile = 0; tile < QuantizedRows.Tiles(tokens); tile++)
            {
                int inTile = QuantizedRows.TokensOf(tile, tokens);
                operands.X = product.Quantized![product.Tile + tile] + (long)group * inTile * QuantizedRows.GroupBytes;
                operands.Y = (float*)((byte*)y + tile * QuantizedRows.Tile * yStride);
                MultiplyTile(operands, inTile);
            }
        }
    }

    static void MultiplyTile(Operands o, int tokens)
    {
        if (tokens < QuantizedRows.Tile)
        {
            for (int token = 0; token < tokens; token++)
                One(in o, token, tokens);
            return;
        }
        for (int outputs = 0; outputs < QuantizedPanels.PanelOutputs; outputs += Lane)
        {
            Four(in o);
            o.Quants += Lane * 4;
            o.Scales += Lane;
            o.Minimums += Lane;
            o.Y += Lane;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void Four(in Operands o)
    {
        const int count = QuantizedRows.Tile;
        byte* quants = o.Quants, x = o.X;
        float* scales = o.Scales, minimums = o.Minimums, y0 = o.Y, y1 = Next(y0, o.YStride),
            y2 = Next(y1, o.YStride), y3 = Next(y2, o.YStride);
        int parts = o.Kind.Parts, quads = Quads / parts;
        T a = T.Load(y0), b = T.Load(y1), c = T.Load(y2), d = T.Load(y3);
        for (int group = 0; group < o.Groups; group++, x += count * QuantizedRows.GroupBytes, quants += o.QuantStride)
        {
            byte* w = quants;
            float* scaleX = (float*)(x + count * QuantizedRows.Scales);
            int* offsets = (int*)(x + count * (parts == 2 ? QuantizedRows.HalfOffsets : QuantizedRows.Offsets)), quad = (int*)x;
            for (int part = 0; part < parts; part++, offsets += count, scales += QuantizedPanels.PanelOutputs)
            {
                T s = T.StartDotProducts(offsets[0]), t = T.StartDotProducts(offsets[1]), u = T.StartDotProducts(offsets[2]),
                    v = T.StartDotProducts(offsets[3]);
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
                if (parts == 2 && o.Kind.HasMinimums)
                {
                    T minimum = T.Load(minimums);
                    a = T.MultiplyAdd(minimum, T.Broadcast(HalfSum(offsets[0], scaleX[0])), a);
                    b = T.MultiplyAdd(minimum, T.Broadcast(HalfSum(offsets[1], scaleX[1])), b);
                    c = T.MultiplyAdd(minimum, T.Broadcast(HalfSum(offsets[2], scaleX[2])), c);
                    d = T.MultiplyAdd(minimum, T.Broadcast(HalfSum(offsets[3], scaleX[3])), d);
                    minimums += QuantizedPanels.PanelOutputs;
                }
            }
            if (parts == 1 && o.Kind.HasMinimums)
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

    /// <summary>One of a tile's tokens, all outputs of the panel: two chains, so that one does not wait for itself alone.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    static void One(in Operands o, int token, int count)
    {
        byte* quants = o.Quants, x = o.X;
        float* scales = o.Scales, minimums = o.Minimums, y = (float*)((byte*)o.Y + token * o.YStride);
        int parts = o.Kind.Parts, quads = Quads / parts;
        T a = T.Load(y), b = T.Load(y + Lane);
        for (int group = 0; group < o.Groups; group++, x += count * QuantizedRows.GroupBytes, quants += o.QuantStride)
        {
            byte* w = quants;
            float scaleOfX = ((float*)(x + count * QuantizedRows.Scales))[token];
            T scaleX = T.Broadcast(scaleOfX);
            int* offsets = (int*)(x + count * (parts == 2 ? QuantizedRows.HalfOffsets : QuantizedRows.Offsets)) + token,
                quad = (int*)x + token;
            for (int part = 0; part < parts; part++, offsets += count, scales += QuantizedPanels.PanelOutputs)
            {
                T s = T.StartDotProducts(offsets[0]), t = s;
                for (int i = 0; i < quads; i++, w += QuadBytes, quad += count)
                {
                    T.LoadBytePairs(w, out T even, out T odd);
                    s = T.AddDotProducts(s, even, odd, quad[0]);
                    T.LoadBytePairs(w + Lane * 4, out even, out odd);
                    t = T.AddDotProducts(t, even, odd, quad[0]);
                }
                a = T.MultiplyAdd(T.ConvertToSingle(s), T.Load(scales) * scaleX, a);
                b = T.MultiplyAdd(T.ConvertToSingle(t), T.Load(scales + Lane) * scaleX, b);
                if (parts == 2 && o.Kind.HasMinimums)
                {
                    T half = T.Broadcast(HalfSum(offsets[0], scaleOfX));
                    a = T.MultiplyAdd(T.Load(minimums), half, a);
                    b = T.MultiplyAdd(T.Load(minimums + Lane), half, b);
                    minimums += QuantizedPanels.PanelOutputs;
                }
            }
            if (parts == 1 && o.Kind.HasMinimums)
            {
                T sum = T.Broadcast(((float*)(x + count * QuantizedRows.ScaledSums))[token]);
                a = T.MultiplyAdd(T.Load(minimums), sum, a);
                b = T.MultiplyAdd(T.Load(minimums + Lane), sum, b);
                minimums += QuantizedPanels.PanelOutputs;
            }
        }
        T.Store(a, y);
        T.Store(b, y + Lane);
    }

    /// <summary>The sum of a half group's activations, of what their bytes of 128 too much take back.</summary>
    static float HalfSum(int offset, float scale) => -(offset / QuantizedPanels.Zero) * scale;

    static float* Next(float* y, nint stride) => (float*)((byte*)y + stride);
}
