using System.Runtime.CompilerServices;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// The product under prefill: <c>C[r][n] += Σ_k a[r][k] · b[k][n]</c>, with n along the lanes. Every element of C is one chain of fused
/// multiply-adds that starts from what C holds and goes through k in ascending order. Which rows and columns are computed together, and in
/// how many calls k is gone through, thus changes no bit.
/// </summary>
static unsafe class RowsByPanel<T> where T : struct, ILanes<T>
{
    /// <summary>Columns that a block of registers takes; a panel of this width, or a multiple, is the fastest.</summary>
    public const int Columns = 4 * ILanes<T>.Count;

    const int Lane = ILanes<T>.Count;

    /// <summary>Adds the product to C.</summary>
    /// <param name="a">[rows, k], row-major.</param>
    /// <param name="aStride">Elements from one row of a to the next.</param>
    /// <param name="rows">Rows of a and of C.</param>
    /// <param name="b">[k, width], row-major.</param>
    /// <param name="bStride">Elements from one row of b to the next.</param>
    /// <param name="k">Columns of a, rows of b.</param>
    /// <param name="c">[rows, width], row-major.</param>
    /// <param name="cStride">Elements from one row of C to the next.</param>
    /// <param name="width">Columns of b and of C: a multiple of sixteen.</param>
    public static void MultiplyAdd(float* a, nint aStride, int rows, float* b, nint bStride, int k, float* c, nint cStride, int width) =>
        Run(a, aStride, rows, b, bStride, k, c, cStride, width, add: true);

    /// <summary>Writes the product to C, as if that had held zeros.</summary>
    /// <inheritdoc cref="MultiplyAdd"/>
    public static void Multiply(float* a, nint aStride, int rows, float* b, nint bStride, int k, float* c, nint cStride, int width) =>
        Run(a, aStride, rows, b, bStride, k, c, cStride, width, add: false);

    static void Run(float* a, nint aStride, int rows, float* b, nint bStride, int k, float* c, nint cStride, int width, bool add)
    {
        for (int lanes; width > 0; width -= lanes * Lane, b += lanes * Lane, c += lanes * Lane)
        {
            lanes = width >= 4 * Lane ? 4 : width >= 2 * Lane && T.Registers >= 16 ? 2 : 1;
            for (int row = 0; row < rows; row += 4)
                RunBlock(a + row * aStride, aStride, rows - row, b, bStride, k, c + row * cStride, cStride, lanes, add);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void RunBlock(float* a, nint aStride, int rows, float* b, nint bStride, int k, float* c, nint cStride, int lanes, bool add)
    {
        if (lanes == 4 && rows == 1)
            OneByFour(a, b, bStride, k, c, add);
        else if (lanes == 4 && rows <= 3 && T.Registers >= 32)
            ThreeByFour(a, aStride, rows, b, bStride, k, c, cStride, add);
        else if (lanes == 4 && T.Registers >= 32)
            FourByFour(a, aStride, rows, b, bStride, k, c, cStride, add);
        else if (lanes == 2)
            FourByTwo(a, aStride, rows, b, bStride, k, c, cStride, add);
        else
            for (int n = 0; n < lanes * Lane; n += Lane)
                FourByOne(a, aStride, rows, b + n, bStride, k, c + n, cStride, add);
    }

    // The methods below call nothing while their accumulators live, so that these stay in registers. All of a block's rows are computed:
    // those that do not exist are the last one again, to the same values.

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void FourByFour(float* a0, nint aStride, int rows, float* b, nint bStride, int k, float* c0, nint cStride, bool add)
    {
        nint second = Math.Min(1, rows - 1), third = Math.Min(2, rows - 1), fourth = Math.Min(3, rows - 1);
        float* a1 = a0 + second * aStride, a2 = a0 + third * aStride, a3 = a0 + fourth * aStride;
        float* c1 = c0 + second * cStride, c2 = c0 + third * cStride, c3 = c0 + fourth * cStride;
        T s00 = default, s01 = default, s02 = default, s03 = default;
        T s10 = default, s11 = default, s12 = default, s13 = default;
        T s20 = default, s21 = default, s22 = default, s23 = default;
        T s30 = default, s31 = default, s32 = default, s33 = default;
        if (add)
        {
            (s00, s01, s02, s03) = (T.Load(c0), T.Load(c0 + Lane), T.Load(c0 + 2 * Lane), T.Load(c0 + 3 * Lane));
            (s10, s11, s12, s13) = (T.Load(c1), T.Load(c1 + Lane), T.Load(c1 + 2 * Lane), T.Load(c1 + 3 * Lane));
            (s20, s21, s22, s23) = (T.Load(c2), T.Load(c2 + Lane), T.Load(c2 + 2 * Lane), T.Load(c2 + 3 * Lane));
            (s30, s31, s32, s33) = (T.Load(c3), T.Load(c3 + Lane), T.Load(c3 + 2 * Lane), T.Load(c3 + 3 * Lane));
        }
        for (nint i = 0; i < k; i++, b += bStride)
        {
            T b0 = T.Load(b), b1 = T.Load(b + Lane), b2 = T.Load(b + 2 * Lane), b3 = T.Load(b + 3 * Lane);
            T v = T.Broadcast(a0[i]);
            s00 = T.MultiplyAdd(v, b0, s00);
            s01 = T.MultiplyAdd(v, b1, s01);
            s02 = T.MultiplyAdd(v, b2, s02);
            s03 = T.MultiplyAdd(v, b3, s03);
            v = T.Broadcast(a1[i]);
            s10 = T.MultiplyAdd(v, b0, s10);
            s11 = T.MultiplyAdd(v, b1, s11);
            s12 = T.MultiplyAdd(v, b2, s12);
            s13 = T.MultiplyAdd(v, b3, s13);
            v = T.Broadcast(a2[i]);
            s20 = T.MultiplyAdd(v, b0, s20);
            s21 = T.MultiplyAdd(v, b1, s21);
            s22 = T.MultiplyAdd(v, b2, s22);
            s23 = T.MultiplyAdd(v, b3, s23);
            v = T.Broadcast(a3[i]);
            s30 = T.MultiplyAdd(v, b0, s30);
            s31 = T.MultiplyAdd(v, b1, s31);
            s32 = T.MultiplyAdd(v, b2, s32);
            s33 = T.MultiplyAdd(v, b3, s33);
        }
        Store(c0, s00, s01, s02, s03);
        Store(c1, s10, s11, s12, s13);
        Store(c2, s20, s21, s22, s23);
        Store(c3, s30, s31, s32, s33);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void ThreeByFour(float* a0, nint aStride, int rows, float* b, nint bStride, int k, float* c0, nint cStride, bool add)
    {
        nint second = Math.Min(1, rows - 1), third = Math.Min(2, rows - 1);
        float* a1 = a0 + second * aStride, a2 = a0 + third * aStride, c1 = c0 + second * cStride, c2 = c0 + third * cStride;
        T s00 = default, s01 = default, s02 = default, s03 = default;
        T s10 = default, s11 = default, s12 = default, s13 = default;
        T s20 = default, s21 = default, s22 = default, s23 = default;
        if (add)
        {
            (s00, s01, s02, s03) = (T.Load(c0), T.Load(c0 + Lane), T.Load(c0 + 2 * Lane), T.Load(c0 + 3 * Lane));
            (s10, s11, s12, s13) = (T.Load(c1), T.Load(c1 + Lane), T.Load(c1 + 2 * Lane), T.Load(c1 + 3 * Lane));
            (s20, s21, s22, s23) = (T.Load(c2), T.Load(c2 + Lane), T.Load(c2 + 2 * Lane), T.Load(c2 + 3 * Lane));
        }
        for (nint i = 0; i < k; i++, b += bStride)
        {
            T b0 = T.Load(b), b1 = T.Load(b + Lane), b2 = T.Load(b + 2 * Lane), b3 = T.Load(b + 3 * Lane);
            T v = T.Broadcast(a0[i]);
            s00 = T.MultiplyAdd(v, b0, s00);
            s01 = T.MultiplyAdd(v, b1, s01);
            s02 = T.MultiplyAdd(v, b2, s02);
            s03 = T.MultiplyAdd(v, b3, s03);
            v = T.Broadcast(a1[i]);
            s10 = T.MultiplyAdd(v, b0, s10);
            s11 = T.MultiplyAdd(v, b1, s11);
            s12 = T.MultiplyAdd(v, b2, s12);
            s13 = T.MultiplyAdd(v, b3, s13);
            v = T.Broadcast(a2[i]);
            s20 = T.MultiplyAdd(v, b0, s20);
            s21 = T.MultiplyAdd(v, b1, s21);
            s22 = T.MultiplyAdd(v, b2, s22);
            s23 = T.MultiplyAdd(v, b3, s23);
        }
        Store(c0, s00, s01, s02, s03);
        Store(c1, s10, s11, s12, s13);
        Store(c2, s20, s21, s22, s23);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void FourByTwo(float* a0, nint aStride, int rows, float* b, nint bStride, int k, float* c0, nint cStride, bool add)
    {
        nint second = Math.Min(1, rows - 1), third = Math.Min(2, rows - 1), fourth = Math.Min(3, rows - 1);
        float* a1 = a0 + second * aStride, a2 = a0 + third * aStride, a3 = a0 + fourth * aStride;
        float* c1 = c0 + second * cStride, c2 = c0 + third * cStride, c3 = c0 + fourth * cStride;
        T s00 = default, s01 = default, s10 = default, s11 = default;
        T s20 = default, s21 = default, s30 = default, s31 = default;
        if (add)
        {
            (s00, s01, s10, s11) = (T.Load(c0), T.Load(c0 + Lane), T.Load(c1), T.Load(c1 + Lane));
            (s20, s21, s30, s31) = (T.Load(c2), T.Load(c2 + Lane), T.Load(c3), T.Load(c3 + Lane));
        }
        for (nint i = 0; i < k; i++, b += bStride)
        {
            T b0 = T.Load(b), b1 = T.Load(b + Lane);
            T v = T.Broadcast(a0[i]);
            s00 = T.MultiplyAdd(v, b0, s00);
            s01 = T.MultiplyAdd(v, b1, s01);
            v = T.Broadcast(a1[i]);
            s10 = T.MultiplyAdd(v, b0, s10);
            s11 = T.MultiplyAdd(v, b1, s11);
            v = T.Broadcast(a2[i]);
            s20 = T.MultiplyAdd(v, b0, s20);
            s21 = T.MultiplyAdd(v, b1, s21);
            v = T.Broadcast(a3[i]);
            s30 = T.MultiplyAdd(v, b0, s30);
            s31 = T.MultiplyAdd(v, b1, s31);
        }
        T.Store(s00, c0);
        T.Store(s01, c0 + Lane);
        T.Store(s10, c1);
        T.Store(s11, c1 + Lane);
        T.Store(s20, c2);
        T.Store(s21, c2 + Lane);
        T.Store(s30, c3);
        T.Store(s31, c3 + Lane);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void FourByOne(float* a0, nint aStride, int rows, float* b, nint bStride, int k, float* c0, nint cStride, bool add)
    {
        nint second = Math.Min(1, rows - 1), third = Math.Min(2, rows - 1), fourth = Math.Min(3, rows - 1);
        float* a1 = a0 + second * aStride, a2 = a0 + third * aStride, a3 = a0 + fourth * aStride;
        float* c1 = c0 + second * cStride, c2 = c0 + third * cStride, c3 = c0 + fourth * cStride;
        T s0 = default, s1 = default, s2 = default, s3 = default;
        if (add)
            (s0, s1, s2, s3) = (T.Load(c0), T.Load(c1), T.Load(c2), T.Load(c3));
        for (nint i = 0; i < k; i++, b += bStride)
        {
            T v = T.Load(b);
            s0 = T.MultiplyAdd(T.Broadcast(a0[i]), v, s0);
            s1 = T.MultiplyAdd(T.Broadcast(a1[i]), v, s1);
            s2 = T.MultiplyAdd(T.Broadcast(a2[i]), v, s2);
            s3 = T.MultiplyAdd(T.Broadcast(a3[i]), v, s3);
        }
        T.Store(s0, c0);
        T.Store(s1, c1);
        T.Store(s2, c2);
        T.Store(s3, c3);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void OneByFour(float* a, float* b, nint bStride, int k, float* c, bool add)
    {
        T s0 = default, s1 = default, s2 = default, s3 = default;
        if (add)
            (s0, s1, s2, s3) = (T.Load(c), T.Load(c + Lane), T.Load(c + 2 * Lane), T.Load(c + 3 * Lane));
        for (nint i = 0; i < k; i++, b += bStride)
        {
            T v = T.Broadcast(a[i]);
            s0 = T.MultiplyAdd(v, T.Load(b), s0);
            s1 = T.MultiplyAdd(v, T.Load(b + Lane), s1);
            s2 = T.MultiplyAdd(v, T.Load(b + 2 * Lane), s2);
            s3 = T.MultiplyAdd(v, T.Load(b + 3 * Lane), s3);
        }
        Store(c, s0, s1, s2, s3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Store(float* c, T s0, T s1, T s2, T s3)
    {
        T.Store(s0, c);
        T.Store(s1, c + Lane);
        T.Store(s2, c + 2 * Lane);
        T.Store(s3, c + 3 * Lane);
    }
}
