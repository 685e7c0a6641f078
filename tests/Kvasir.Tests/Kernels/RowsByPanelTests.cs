using System.Runtime.InteropServices;
using CsCheck;
using Kvasir.Inference.Kernels;

namespace Kvasir.Tests.Kernels;

/// <summary>Every element is one chain of fused multiply-adds over ascending k, whatever is computed beside it.</summary>
public unsafe class RowsByPanelTests
{
    static readonly Gen<(int Rows, int K, int Width, int Cut, int Seed)> s_products =
        Gen.Select(Gen.Int[1, 14], Gen.Int[0, 40], Gen.Int[1, 11], Gen.Int[0, 40], Gen.Int)
            .Select((rows, k, lanes, cut, seed) => (rows, k, 16 * lanes, Math.Min(cut, k), seed));

    [Fact]
    public void Every_instruction_set_computes_the_chain_bit_for_bit() =>
        s_products.Sample(product =>
        {
            float[] expected = Chain(product.Rows, product.K, product.Width, product.Seed);
            AssertSameBits(expected, Product<LanesScalar>(product.Rows, product.K, product.Width, product.K, product.Seed));
            AssertSameBits(expected, Product<Lanes128<WideningProducts>>(product.Rows, product.K, product.Width, product.K, product.Seed));
            AssertSameBits(expected, Product<Lanes256>(product.Rows, product.K, product.Width, product.K, product.Seed));
            AssertSameBits(expected, Product<Lanes512>(product.Rows, product.K, product.Width, product.K, product.Seed));
        }, iter: 300);

    [Fact]
    public void Going_through_k_in_two_calls_changes_nothing() =>
        s_products.Sample(product =>
        {
            float[] expected = Chain(product.Rows, product.K, product.Width, product.Seed);
            AssertSameBits(expected,
                Product<Lanes128<WideningProducts>>(product.Rows, product.K, product.Width, product.Cut, product.Seed));
            AssertSameBits(expected, Product<Lanes256>(product.Rows, product.K, product.Width, product.Cut, product.Seed));
            AssertSameBits(expected, Product<Lanes512>(product.Rows, product.K, product.Width, product.Cut, product.Seed));
        }, iter: 300);

    /// <summary>The definition, with rows further apart than they are wide; what lies between them must stay.</summary>
    static float[] Chain(int rows, int k, int width, int seed)
    {
        (float[] a, float[] b, float[] c) = Operands(rows, k, width, seed);
        for (int row = 0; row < rows; row++)
            for (int n = 0; n < width; n++)
                for (int i = 0; i < k; i++)
                    c[row * (width + 5) + n] = MathF.FusedMultiplyAdd(a[row * (k + 3) + i],
                        b[i * (width + 16) + n], c[row * (width + 5) + n]);
        return c;
    }

    static float[] Product<T>(int rows, int k, int width, int cut, int seed) where T : struct, ILanes<T>
    {
        (float[] first, float[] second, float[] sums) = Operands(rows, k, width, seed);
        fixed (float* a = first, b = second, c = sums)
        {
            RowsByPanel<T>.MultiplyAdd(a, k + 3, rows, b, width + 16, cut, c, width + 5, width);
            if (cut < k)
                RowsByPanel<T>.MultiplyAdd(a + cut, k + 3, rows, b + cut * (width + 16), width + 16, k - cut, c, width + 5, width);
        }
        return sums;
    }

    static (float[] A, float[] B, float[] C) Operands(int rows, int k, int width, int seed)
    {
        var random = new Random(seed);
        return (Filled(rows * (k + 3), random), Filled(k * (width + 16) + 1, random), Filled(rows * (width + 5), random));
    }

    static float[] Filled(int count, Random random) => [.. Enumerable.Range(0, count).Select(_ => 4 * random.NextSingle() - 2)];

    static void AssertSameBits(float[] expected, float[] actual) =>
        Assert.True(MemoryMarshal.AsBytes<float>(expected).SequenceEqual(MemoryMarshal.AsBytes<float>(actual)));
}
