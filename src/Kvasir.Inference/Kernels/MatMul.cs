using System.Runtime.CompilerServices;

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
    public const int Tile = 4;

    public static int Items(Matrix w) => (w.Rows + OutputsPerItem - 1) / OutputsPerItem;

    public readonly void Run(int item, int thread)
    {
        int first = item * OutputsPerItem, outputs = Math.Min(OutputsPerItem, w.Rows - first), stride = x.Stride;
        float* weights = scratch[thread][0]; // [outputs, stride of x]: the scratch is wide enough for every matrix
        Dequantize(first, outputs, weights);
        float* sums = stackalloc float[Tile * Tile * ILanes<T>.Count];
        int token = 0;
        for (; token + Tile <= tokens; token += Tile)
            for (int o = 0; o < outputs; o += Tile)
            {
                FourByFour(weights + o * stride, x[token], stride, sums);
                Fold(sums, Tile, token, first + o, Math.Min(Tile, outputs - o));
            }
        for (; token < tokens; token++)
            for (int o = 0; o < outputs; o += Tile)
            {
                FourByOne(weights + o * stride, x[token], stride, sums);
                Fold(sums, 1, token, first + o, Math.Min(Tile, outputs - o));
            }
    }

    readonly void Dequantize(int first, int outputs, float* weights)
    {
        for (int o = 0; o < outputs; o++, weights += x.Stride)
        {
            w.DequantizeRow(first + o, new Span<float>(weights, w.Columns));
            new Span<float>(weights + w.Columns, x.Stride - w.Columns).Clear();
        }
    }

    // Four rows of the scratch times four tokens; sums are [row][token][lane]. The tile's sixteen accumulators stay in registers because nothing
    // is called while they live: folding them here would spill them in every round.
    [MethodImpl(MethodImplOptions.NoInlining)]
    static void FourByFour(float* w, float* x, int stride, float* sums)
    {
        float* w1 = w + stride, w2 = w1 + stride, w3 = w2 + stride, x1 = x + stride, x2 = x1 + stride, x3 = x2 + stride;
        T s00 = default, s01 = default, s02 = default, s03 = default, s10 = default, s11 = default, s12 = default, s13 = default;
        T s20 = default, s21 = default, s22 = default, s23 = default, s30 = default, s31 = default, s32 = default, s33 = default;
        for (int i = 0; i < stride; i += ILanes<T>.Count)
        {
            T a = T.Load(x + i), b = T.Load(x1 + i), c = T.Load(x2 + i), d = T.Load(x3 + i);
            T v = T.Load(w + i);
            s00 = T.MultiplyAdd(v, a, s00);
            s01 = T.MultiplyAdd(v, b, s01);
            s02 = T.MultiplyAdd(v, c, s02);
            s03 = T.MultiplyAdd(v, d, s03);
            v = T.Load(w1 + i);
            s10 = T.MultiplyAdd(v, a, s10);
            s11 = T.MultiplyAdd(v, b, s11);
            s12 = T.MultiplyAdd(v, c, s12);
            s13 = T.MultiplyAdd(v, d, s13);
            v = T.Load(w2 + i);
            s20 = T.MultiplyAdd(v, a, s20);
            s21 = T.MultiplyAdd(v, b, s21);
            s22 = T.MultiplyAdd(v, c, s22);
            s23 = T.MultiplyAdd(v, d, s23);
            v = T.Load(w3 + i);
            s30 = T.MultiplyAdd(v, a, s30);
            s31 = T.MultiplyAdd(v, b, s31);
            s32 = T.MultiplyAdd(v, c, s32);
            s33 = T.MultiplyAdd(v, d, s33);
        }
        Store(s00, s01, s02, s03, sums);
        Store(s10, s11, s12, s13, sums + Tile * ILanes<T>.Count);
        Store(s20, s21, s22, s23, sums + 2 * Tile * ILanes<T>.Count);
        Store(s30, s31, s32, s33, sums + 3 * Tile * ILanes<T>.Count);
    }

    // Four rows of the scratch times one token; sums are [row][lane].
    [MethodImpl(MethodImplOptions.NoInlining)]
    static void FourByOne(float* w, float* x, int stride, float* sums)
    {
        float* w1 = w + stride, w2 = w1 + stride, w3 = w2 + stride;
        T s0 = default, s1 = default, s2 = default, s3 = default;
        for (int i = 0; i < stride; i += ILanes<T>.Count)
        {
            T a = T.Load(x + i);
            s0 = T.MultiplyAdd(T.Load(w + i), a, s0);
            s1 = T.MultiplyAdd(T.Load(w1 + i), a, s1);
            s2 = T.MultiplyAdd(T.Load(w2 + i), a, s2);
            s3 = T.MultiplyAdd(T.Load(w3 + i), a, s3);
        }
        Store(s0, s1, s2, s3, sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Store(T s0, T s1, T s2, T s3, float* sums)
    {
        T.Store(s0, sums);
        T.Store(s1, sums + ILanes<T>.Count);
        T.Store(s2, sums + 2 * ILanes<T>.Count);
        T.Store(s3, sums + 3 * ILanes<T>.Count);
    }

    // Rows beyond `outputs` were computed from old weights and are not stored.
    readonly void Fold(float* sums, int tileTokens, int token, int output, int outputs)
    {
        for (int o = 0; o < outputs; o++)
            for (int t = 0; t < tileTokens; t++)
                y[token + t][output + o] = T.Sum(T.Load(sums + (o * tileTokens + t) * ILanes<T>.Count)) + (bias is null ? 0f : bias[0][output + o]);
    }
}
