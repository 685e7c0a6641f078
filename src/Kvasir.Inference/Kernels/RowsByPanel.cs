using System.Runtime.CompilerServices;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// The product under prefill: <c>C[r][n] += Σ_k a[r][k] · b[k][n]</c>, with n along the lanes. Every element of C is one chain of fused multiply-adds
/// that starts from what C holds and goes through k in ascending order. Which rows and columns are computed together, and in how many calls
/// k is gone through, thus changes no bit.
/// </summary>
static unsafe class RowsByPanel<T> where T : struct, ILanes<T>
{
    /// <summary>Columns that a block of registers takes; a panel of this width, or a multiple, is the fastest.</summary>
    public const int Columns = 4 * ILanes<T>.Count;

    const int Lane = ILanes<T>.Count, Rows = 4;

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
    public static void MultiplyAdd(float* a, nint aStride, int rows, float* b, nint bStride, int k, float* c, nint cStride, int width)
    {
        int n = 0;
        for (; n + Columns <= width; n += Columns)
            FourWide(a, aStride, rows, b + n, bStride, k, c + n, cStride);
        if (width - n >= 2 * Lane && T.Registers >= 16)
        {
            for (int row = 0; row < rows; row += Rows)
                FourByTwo(a + row * aStride, Steps(aStride, rows - row), b + n, bStride, k, c + row * cStride + n, Steps(cStride, rows - row));
            n += 2 * Lane;
        }
        for (; n < width; n += Lane)
            OneWide(a, aStride, rows, b + n, bStride, k, c + n, cStride);
    }

    /// <summary>Offsets of the second, third and fourth row of a block. Rows that do not exist are the last one again: computed twice to the same value.</summary>
    readonly struct Offsets(nint second, nint third, nint fourth)
    {
        public readonly nint Second = second, Third = third, Fourth = fourth;
    }

    static Offsets Steps(nint stride, int rows) => new(Math.Min(1, rows - 1) * stride, Math.Min(2, rows - 1) * stride, Math.Min(3, rows - 1) * stride);

    static void FourWide(float* a, nint aStride, int rows, float* b, nint bStride, int k, float* c, nint cStride)
    {
        for (int row = 0; row < rows; row += Rows, a += Rows * aStride, c += Rows * cStride)
            if (rows - row == 1)
                OneByFour(a, b, bStride, k, c);
            else if (T.Registers >= 32)
                FourByFour(a, Steps(aStride, rows - row), b, bStride, k, c, Steps(cStride, rows - row));
            else
                for (int n = 0; n < Columns; n += Lane)
                    FourByOne(a, Steps(aStride, rows - row), b + n, bStride, k, c + n, Steps(cStride, rows - row));
    }

    static void OneWide(float* a, nint aStride, int rows, float* b, nint bStride, int k, float* c, nint cStride)
    {
        for (int row = 0; row < rows; row += Rows)
            FourByOne(a + row * aStride, Steps(aStride, rows - row), b, bStride, k, c + row * cStride, Steps(cStride, rows - row));
    }

    // The methods below call nothing while their accumulators live, so that these stay in registers.

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void FourByFour(float* a, Offsets aRows, float* b, nint bStride, int k, float* c, Offsets cRows)
    {
        float* a1 = a + aRows.Second, a2 = a + aRows.Third, a3 = a + aRows.Fourth, c1 = c + cRows.Second, c2 = c + cRows.Third, c3 = c + cRows.Fourth;
        T s00 = T.Load(c), s01 = T.Load(c + Lane), s02 = T.Load(c + 2 * Lane), s03 = T.Load(c + 3 * Lane);
        T s10 = T.Load(c1), s11 = T.Load(c1 + Lane), s12 = T.Load(c1 + 2 * Lane), s13 = T.Load(c1 + 3 * Lane);
        T s20 = T.Load(c2), s21 = T.Load(c2 + Lane), s22 = T.Load(c2 + 2 * Lane), s23 = T.Load(c2 + 3 * Lane);
        T s30 = T.Load(c3), s31 = T.Load(c3 + Lane), s32 = T.Load(c3 + 2 * Lane), s33 = T.Load(c3 + 3 * Lane);
        for (nint i = 0; i < k; i++, b += bStride)
        {
            T b0 = T.Load(b), b1 = T.Load(b + Lane), b2 = T.Load(b + 2 * Lane), b3 = T.Load(b + 3 * Lane);
            T v = T.Broadcast(a[i]);
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
        Store(c, s00, s01, s02, s03);
        Store(c1, s10, s11, s12, s13);
        Store(c2, s20, s21, s22, s23);
        Store(c3, s30, s31, s32, s33);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void FourByTwo(float* a, Offsets aRows, float* b, nint bStride, int k, float* c, Offsets cRows)
    {
        float* a1 = a + aRows.Second, a2 = a + aRows.Third, a3 = a + aRows.Fourth, c1 = c + cRows.Second, c2 = c + cRows.Third, c3 = c + cRows.Fourth;
        T s00 = T.Load(c), s01 = T.Load(c + Lane), s10 = T.Load(c1), s11 = T.Load(c1 + Lane);
        T s20 = T.Load(c2), s21 = T.Load(c2 + Lane), s30 = T.Load(c3), s31 = T.Load(c3 + Lane);
        for (nint i = 0; i < k; i++, b += bStride)
        {
            T b0 = T.Load(b), b1 = T.Load(b + Lane);
            T v = T.Broadcast(a[i]);
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
        T.Store(s00, c);
        T.Store(s01, c + Lane);
        T.Store(s10, c1);
        T.Store(s11, c1 + Lane);
        T.Store(s20, c2);
        T.Store(s21, c2 + Lane);
        T.Store(s30, c3);
        T.Store(s31, c3 + Lane);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void FourByOne(float* a, Offsets aRows, float* b, nint bStride, int k, float* c, Offsets cRows)
    {
        float* a1 = a + aRows.Second, a2 = a + aRows.Third, a3 = a + aRows.Fourth, c1 = c + cRows.Second, c2 = c + cRows.Third, c3 = c + cRows.Fourth;
        T s0 = T.Load(c), s1 = T.Load(c1), s2 = T.Load(c2), s3 = T.Load(c3);
        for (nint i = 0; i < k; i++, b += bStride)
        {
            T v = T.Load(b);
            s0 = T.MultiplyAdd(T.Broadcast(a[i]), v, s0);
            s1 = T.MultiplyAdd(T.Broadcast(a1[i]), v, s1);
            s2 = T.MultiplyAdd(T.Broadcast(a2[i]), v, s2);
            s3 = T.MultiplyAdd(T.Broadcast(a3[i]), v, s3);
        }
        T.Store(s0, c);
        T.Store(s1, c1);
        T.Store(s2, c2);
        T.Store(s3, c3);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void OneByFour(float* a, float* b, nint bStride, int k, float* c)
    {
        T s0 = T.Load(c), s1 = T.Load(c + Lane), s2 = T.Load(c + 2 * Lane), s3 = T.Load(c + 3 * Lane);
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
