using System.Runtime.InteropServices;
using CsCheck;
using Kvasir.Formats;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Kernels;

public class MatMulTests
{
    public static TheoryData<TensorType> Types => [.. Enum.GetValues<TensorType>()];

    /// <summary>Against sums in double precision, for shapes with all kinds of remainders, on every instruction set.</summary>
    [Fact]
    public void Products_are_those_of_double_precision() =>
        Gen.Select(Gen.Int[1, 150], Gen.Int[1, 300], Gen.Int[1, 11], Gen.Int[0, int.MaxValue]).Sample((outputs, inputs, tokens, seed) =>
            Check(new Weights(TensorType.F32, outputs, inputs, seed), tokens), iter: 100);

    /// <summary>
    /// Quantised weights multiply activations of eight bits: the test rounds them itself, and after that only floats' rounding may differ.
    /// </summary>
    [Theory, MemberData(nameof(Types))]
    public void Weights_count_as_what_their_format_says(TensorType type)
    {
        Check(new Weights(type, outputs: 37, inputs: 512, seed: 5), tokens: 6);
        Check(new Weights(type, outputs: 64, inputs: 1280, seed: 6), tokens: 1); // more than one stretch of scratch memory
        Check(new Weights(type, outputs: 100, inputs: 2304, seed: 7), tokens: 13);
    }

    [Theory, MemberData(nameof(Types))]
    public void Every_instruction_set_gives_the_same_bits(TensorType type)
    {
        foreach (int tokens in (int[])[1, 2, 3, 4, 7, 8, 29])
        {
            using var weights = new Weights(type, outputs: 70, inputs: 1280, seed: tokens);
            using FloatRows x = Activations(tokens, 1280, seed: 9);
            float[][] expected = Product(weights, x, bias: null, InstructionSet.Scalar, threads: 1);
            foreach (InstructionSet set in InstructionSets.Available)
                Assert.Equal(expected, Product(weights, x, bias: null, set, threads: 2), Bits);
            if (tokens == 3)
                GoldenBits.Check($"products with {type.DisplayName()}", expected); // and every machine
        }
    }

    /// <summary>Few tokens take other paths through the same operations: a token's product is bitwise what it is among many.</summary>
    [Theory, MemberData(nameof(Types))]
    public void A_token_alone_has_the_product_that_it_has_among_others(TensorType type)
    {
        using var weights = new Weights(type, outputs: 37, inputs: 256, seed: 3);
        using FloatRows x = Activations(tokens: 11, 256, seed: 4);
        foreach (InstructionSet set in InstructionSets.Available)
        {
            float[][] together = Product(weights, x, bias: null, set, threads: 2);
            for (int token = 0; token < x.Rows; token++)
                for (int others = 0; others < 3 && token + others < x.Rows; others++)
                {
                    using FloatRows few = new(1 + others, 256);
                    for (int i = 0; i <= others; i++)
                        x.Span(token + i).CopyTo(few.Span(i));
                    Assert.True(Bits(together[token], Product(weights, few, bias: null, set, threads: 1)[0]),
                        $"{set}, token {token} of {few.Rows}");
                }
        }
    }

    [Fact]
    public void Products_of_one_job_are_those_of_three()
    {
        using Weights a = new(TensorType.Q4_K, 96, 256, 1), b = new(TensorType.Q6_K, 40, 256, 2), c = new(TensorType.F16, 33, 256, 3);
        using FloatRows x = Activations(5, 256, 8), ya = new(5, 96), yb = new(5, 40), yc = new(5, 33);
        using var pool = new ComputePool(2);
        foreach (InstructionSet set in InstructionSets.Available)
        {
            using CpuKernels kernels = CpuKernels.Create(set, pool);
            kernels.Reserve(5, 256, new AttentionSize(1, 1, 16, 16));
            kernels.MatMul(x, 5, new Product(a.Matrix, null, ya), new Product(b.Matrix, null, yb), new Product(c.Matrix, null, yc));
            Assert.Equal(Product(a, x, null, set, 1), Rows(ya), Bits);
            Assert.Equal(Product(b, x, null, set, 1), Rows(yb), Bits);
            Assert.Equal(Product(c, x, null, set, 1), Rows(yc), Bits);
        }
    }

    static bool Bits(float[] a, float[] b) => MemoryMarshal.AsBytes<float>(a).SequenceEqual(MemoryMarshal.AsBytes<float>(b));

    static void Check(Weights weights, int tokens)
    {
        using (weights)
        using (FloatRows x = Activations(tokens, weights.Inputs, weights.Seed), bias = Activations(1, weights.Outputs, weights.Seed + 1))
            foreach (InstructionSet set in InstructionSets.Available)
                AssertProduct(weights, x, bias, Product(weights, x, bias, set, threads: 2));
    }

    static float[][] Product(Weights weights, FloatRows x, FloatRows? bias, InstructionSet set, int threads)
    {
        using var pool = new ComputePool(threads);
        using CpuKernels kernels = CpuKernels.Create(set, pool);
        using FloatRows y = new(x.Rows, weights.Outputs);
        kernels.Reserve(x.Rows, weights.Inputs, new AttentionSize(1, 1, 16, 16));
        kernels.MatMul(x, x.Rows, new Product(weights.Matrix, bias, y));
        return Rows(y);
    }

    static float[][] Rows(FloatRows y) => [.. Enumerable.Range(0, y.Rows).Select(row => y.Span(row).ToArray())];

    static void AssertProduct(Weights weights, FloatRows x, FloatRows bias, float[][] y)
    {
        for (int token = 0; token < x.Rows; token++)
        {
            double[] seen = weights.Matrix.IsQuantized
                ? Rounded(x.Span(token))
                : [.. x.Span(token).ToArray().Select(value => (double)value)];
            for (int output = 0; output < weights.Outputs; output++)
            {
                float[] row = weights.Row(output);
                double exact = bias.Span(0)[output];
                for (int i = 0; i < row.Length; i++)
                    exact += row[i] * seen[i];
                Assert.Equal(exact, y[token][output], 3e-5);
            }
        }
    }

    /// <summary>Eight bits for every group of 32, by the definition.</summary>
    static double[] Rounded(ReadOnlySpan<float> x)
    {
        double[] rounded = new double[x.Length];
        for (int group = 0; group < x.Length; group += 32)
        {
            float largest = 0;
            foreach (float value in x.Slice(group, 32))
                largest = MathF.Max(largest, MathF.Abs(value));
            for (int i = group; i < group + 32; i++)
                rounded[i] = Math.Round(x[i] * (127 / largest), MidpointRounding.ToEven) * (largest / 127);
        }
        return rounded;
    }

    static FloatRows Activations(int tokens, int width, int seed)
    {
        var random = new Random(seed);
        var rows = new FloatRows(tokens, width);
        for (int token = 0; token < tokens; token++)
            foreach (ref float value in rows.Span(token)) value = random.NextSingle() - 0.5f;
        return rows;
    }
}
