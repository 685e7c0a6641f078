namespace Kvasir.Inference.Kernels;

/// <summary>
/// <c>y[t, o] = Σ_i w[o, i] · x[t, i] + bias[o]</c> for every token <c>t</c>. An item is sixteen outputs: their weights become floats once and
/// serve all tokens. Every sum is sixteen partial sums over <c>i mod 16</c>, each in ascending order, added as <see cref="ILanes{T}.Sum"/>
/// says; how many tokens there are, and which of them share a tile, changes nothing.
/// </summary>
unsafe struct MatMul<T>(Matrix w, FloatRows x, FloatRows? bias, FloatRows y, int tokens, FloatRows[] scratch) : IComputeJob
    where T : struct, ILanes<T>
{
    public const int OutputsPerItem = 16;
    const int Tile = 4;

    public static int Items(Matrix w) => (w.Rows + OutputsPerItem - 1) / OutputsPerItem;

    public readonly void Run(int item, int thread)
    {
        FloatRows weights = scratch[thread];
        int first = item * OutputsPerItem, outputs = Math.Min(OutputsPerItem, w.Rows - first);
        for (int o = 0; o < outputs; o++)
        {
            w.DequantizeRow(first + o, new Span<float>(weights[o], w.Columns));
            new Span<float>(weights[o] + w.Columns, x.Stride - w.Columns).Clear();
        }
        int token = 0;
        for (; token + Tile <= tokens; token += Tile)
            for (int o = 0; o < outputs; o += Tile)
                FourByFour(weights, o, token, first + o, Math.Min(Tile, outputs - o));
        for (; token < tokens; token++)
            for (int o = 0; o < outputs; o += Tile)
                FourByOne(weights, o, token, first + o, Math.Min(Tile, outputs - o));
    }

    // Rows o … o+3 of the scratch times tokens t … t+3. Rows beyond `outputs` hold old weights: computed, not stored.
    readonly void FourByFour(FloatRows weights, int o, int t, int output, int outputs)
    {
        float* w0 = weights[o], w1 = weights[o + 1], w2 = weights[o + 2], w3 = weights[o + 3];
        float* x0 = x[t], x1 = x[t + 1], x2 = x[t + 2], x3 = x[t + 3];
        T s00 = default, s01 = default, s02 = default, s03 = default, s10 = default, s11 = default, s12 = default, s13 = default;
        T s20 = default, s21 = default, s22 = default, s23 = default, s30 = default, s31 = default, s32 = default, s33 = default;
        for (int i = 0; i < x.Stride; i += ILanes<T>.Count)
        {
            T a = T.Load(x0 + i), b = T.Load(x1 + i), c = T.Load(x2 + i), d = T.Load(x3 + i);
            T u = T.Load(w0 + i), v = T.Load(w1 + i);
            (s00, s01, s02, s03) = (T.MultiplyAdd(u, a, s00), T.MultiplyAdd(u, b, s01), T.MultiplyAdd(u, c, s02), T.MultiplyAdd(u, d, s03));
            (s10, s11, s12, s13) = (T.MultiplyAdd(v, a, s10), T.MultiplyAdd(v, b, s11), T.MultiplyAdd(v, c, s12), T.MultiplyAdd(v, d, s13));
            (u, v) = (T.Load(w2 + i), T.Load(w3 + i));
            (s20, s21, s22, s23) = (T.MultiplyAdd(u, a, s20), T.MultiplyAdd(u, b, s21), T.MultiplyAdd(u, c, s22), T.MultiplyAdd(u, d, s23));
            (s30, s31, s32, s33) = (T.MultiplyAdd(v, a, s30), T.MultiplyAdd(v, b, s31), T.MultiplyAdd(v, c, s32), T.MultiplyAdd(v, d, s33));
        }
        Store(s00, s10, s20, s30, t, output, outputs);
        Store(s01, s11, s21, s31, t + 1, output, outputs);
        Store(s02, s12, s22, s32, t + 2, output, outputs);
        Store(s03, s13, s23, s33, t + 3, output, outputs);
    }

    readonly void FourByOne(FloatRows weights, int o, int t, int output, int outputs)
    {
        float* w0 = weights[o], w1 = weights[o + 1], w2 = weights[o + 2], w3 = weights[o + 3], x0 = x[t];
        T s0 = default, s1 = default, s2 = default, s3 = default;
        for (int i = 0; i < x.Stride; i += ILanes<T>.Count)
        {
            T a = T.Load(x0 + i);
            s0 = T.MultiplyAdd(T.Load(w0 + i), a, s0);
            s1 = T.MultiplyAdd(T.Load(w1 + i), a, s1);
            s2 = T.MultiplyAdd(T.Load(w2 + i), a, s2);
            s3 = T.MultiplyAdd(T.Load(w3 + i), a, s3);
        }
        Store(s0, s1, s2, s3, t, output, outputs);
    }

    readonly void Store(T s0, T s1, T s2, T s3, int token, int output, int outputs)
    {
        Store(s0, token, output);
        if (outputs > 1) Store(s1, token, output + 1);
        if (outputs > 2) Store(s2, token, output + 2);
        if (outputs > 3) Store(s3, token, output + 3);
    }

    readonly void Store(T sum, int token, int output) => y[token][output] = T.Sum(sum) + (bias is null ? 0f : bias[0][output]);
}
