using System.Runtime.InteropServices;
using CsCheck;
using Kvasir.Inference.Formats;
using Kvasir.Inference.Formats.Quantization;
using Kvasir.Inference.Kernels;

namespace Kvasir.Tests.Kernels;

public unsafe class MatMulTests
{
    /// <summary>Against sums in double precision, for shapes with all kinds of remainders, on every instruction set.</summary>
    [Fact]
    public void Products_are_those_of_double_precision() =>
        Gen.Select(Gen.Int[1, 70], Gen.Int[1, 90], Gen.Int[1, 11], Gen.Int[0, int.MaxValue]).Sample((outputs, inputs, tokens, seed) =>
            Check(TensorType.F32, outputs, inputs, tokens, seed), iter: 200);

    [Theory]
    [InlineData(TensorType.F16)]
    [InlineData(TensorType.BF16)]
    [InlineData(TensorType.Q8_0)]
    [InlineData(TensorType.Q4_0)]
    [InlineData(TensorType.Q4_1)]
    [InlineData(TensorType.Q5_0)]
    [InlineData(TensorType.Q5_1)]
    public void Quantised_weights_count_as_what_their_format_says(TensorType type) => Check(type, outputs: 37, inputs: 96, tokens: 6, seed: 5);

    /// <summary>Few tokens take another path through the same operations: a token's product is bitwise what it is among many.</summary>
    [Theory, MemberData(nameof(Types))]
    public void A_token_alone_has_the_product_that_it_has_among_others(TensorType type)
    {
        const int outputs = 37, inputs = 96, tokens = 9;
        var random = new Random(3);
        using FloatRows x = new(tokens, inputs), one = new(1, inputs), together = new(tokens, outputs), alone = new(1, outputs);
        for (int token = 0; token < tokens; token++)
            foreach (ref float value in x.Span(token)) value = random.NextSingle() - 0.5f;
        fixed (byte* data = Weights(type, outputs, inputs, random))
            foreach (InstructionSet set in InstructionSets.Available)
            {
                using var pool = new ComputePool(2);
                CpuKernels kernels = CpuKernels.Create(set, pool);
                kernels.Reserve(inputs, 16, 1, 1);
                kernels.MatMul(new Matrix(type, outputs, inputs, data), x, null, together, tokens);
                for (int token = 0; token < tokens; token++)
                {
                    x.Span(token).CopyTo(one.Span(0));
                    kernels.MatMul(new Matrix(type, outputs, inputs, data), one, null, alone, 1);
                    Assert.Equal(together.Span(token).ToArray(), alone.Span(0).ToArray());
                }
            }
    }

    public static TheoryData<TensorType> Types => [TensorType.F32, TensorType.F16, TensorType.BF16, TensorType.Q8_0, TensorType.Q4_0, TensorType.Q5_1];

    static void Check(TensorType type, int outputs, int inputs, int tokens, int seed)
    {
        var random = new Random(seed);
        byte[] weights = Weights(type, outputs, inputs, random);
        using FloatRows x = new(tokens, inputs), bias = new(1, outputs), y = new(tokens, outputs);
        foreach (ref float value in x.Span(0)) value = random.NextSingle() - 0.5f;
        for (int token = 1; token < tokens; token++)
            foreach (ref float value in x.Span(token)) value = random.NextSingle() - 0.5f;
        foreach (ref float value in bias.Span(0)) value = random.NextSingle();
        fixed (byte* data = weights)
        {
            var matrix = new Matrix(type, outputs, inputs, data);
            foreach (InstructionSet set in InstructionSets.Available)
            {
                using var pool = new ComputePool(2);
                CpuKernels kernels = CpuKernels.Create(set, pool);
                kernels.Reserve(inputs, 16, 1, 1);
                kernels.MatMul(matrix, x, bias, y, tokens);
                AssertProduct(matrix, x, bias, y, tokens);
            }
        }
    }

    static byte[] Weights(TensorType type, int outputs, int inputs, Random random)
    {
        int rowBytes = (int)type.RowBytes(inputs);
        byte[] weights = new byte[outputs * rowBytes];
        for (int row = 0; row < outputs; row++)
            RowFormat.Quantize(type, [.. Enumerable.Range(0, inputs).Select(_ => random.NextSingle() - 0.5f)], weights.AsSpan(row * rowBytes, rowBytes));
        return weights;
    }

    static void AssertProduct(Matrix matrix, FloatRows x, FloatRows bias, FloatRows y, int tokens)
    {
        float[] row = new float[matrix.Columns];
        for (int o = 0; o < matrix.Rows; o++)
        {
            matrix.DequantizeRow(o, row);
            for (int t = 0; t < tokens; t++)
            {
                double exact = bias.Span(0)[o];
                for (int i = 0; i < row.Length; i++)
                    exact += (double)row[i] * x.Span(t)[i];
                Assert.Equal(exact, y.Span(t)[o], 1e-5);
            }
        }
    }
}
