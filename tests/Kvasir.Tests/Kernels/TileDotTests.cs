using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Kvasir.Formats;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Kernels;

/// <summary>
/// Products with tiles on a machine that may have none: the code that would run is executed byte by byte by an
/// <see cref="EmulatedProcessor"/>, and everything around it runs as it would.
/// </summary>
public sealed unsafe class TileDotTests
{
    readonly ConcurrentDictionary<TileKind, byte[]> _code = [];
    long _executed;

    public static TheoryData<TensorType> Types =>
        [.. Enum.GetValues<TensorType>().Where(type => PanelFormat.Of(type) is QuantizedPanels)];

    /// <summary>Whole tiles and rests, panels that are cut short, one stretch and several with a rest.</summary>
    [Theory, MemberData(nameof(Types))]
    public void Tiles_give_the_bits_of_all_other_instruction_sets(TensorType type)
    {
        AssertSameBits(type, outputs: 70, inputs: 256, tokens: 16, hasBias: false);
        AssertSameBits(type, outputs: 20, inputs: 768, tokens: 25, hasBias: true);
    }

    /// <summary>Every count of tokens is another routine.</summary>
    [Fact]
    public void Any_number_of_tokens_gives_the_same_bits()
    {
        for (int tokens = 1; tokens <= QuantizedRows.RowTile + 1; tokens++)
        {
            AssertSameBits(TensorType.Q8_0, outputs: 40, inputs: 32, tokens, hasBias: true, leastTokens: 1); // one group
            AssertSameBits(TensorType.Q2_K, outputs: 40, inputs: 256, tokens, hasBias: false, leastTokens: 1);
        }
    }

    [Fact]
    public void Few_tokens_are_left_to_the_other_kernel()
    {
        AssertSameBits(TensorType.Q4_K, outputs: 40, inputs: 256, TileDot.LeastTokens - 1, hasBias: true);
        Assert.Equal(0, _executed);
    }

    /// <summary>The largest sums that there are: every byte is its least or its most.</summary>
    [Fact]
    public void Sums_hold_the_largest_products()
    {
        using var weights = new Weights(TensorType.Q8_0, 32, 64, seed: 1);
        new Span<byte>(weights.Matrix.Panel(0), 32 * 32).Clear(); // −128, as signed bytes
        using FloatRows x = new(TileDot.LeastTokens, 64);
        for (int token = 0; token < x.Rows; token++)
            x.Span(token).Fill(token % 2 == 0 ? 1 : -1);
        Assert.Equal(Product(weights, x, null, Scalar), Product(weights, x, null, Emulated), Bits);
    }

    [Fact]
    public void Products_of_one_job_are_those_of_three()
    {
        using Weights a = new(TensorType.Q4_K, 330, 256, 1), b = new(TensorType.Q6_K, 40, 256, 2), c = new(TensorType.F16, 33, 256, 3);
        using FloatRows x = Activations(18, 256, 8), ya = new(18, 330), yb = new(18, 40), yc = new(18, 33);
        using var pool = new ComputePool(1);
        using CpuKernels kernels = Emulated(pool);
        kernels.Reserve(18, 256, new AttentionSize(1, 1, 16, 16));
        kernels.MatMul(x, 18, new Product(a.Matrix, null, ya), new Product(b.Matrix, null, yb), new Product(c.Matrix, null, yc));
        Assert.Equal(Product(a, x, null, Scalar), Rows(ya), Bits);
        Assert.Equal(Product(b, x, null, Scalar), Rows(yb), Bits);
        Assert.Equal(Product(c, x, null, Scalar), Rows(yc), Bits);
    }

    /// <summary>What <c>limits</c> measures does what it is counted as: so many rounds of four products of full tiles.</summary>
    [Fact]
    public void The_loop_of_the_peak_runs_its_rounds_and_leaves_nothing()
    {
        EmulatedProcessor processor = new();
        TileShapes shapes = EmittedPeak.FullTiles();
        processor.Give(&shapes, sizeof(TileShapes));
        processor.Run(EmittedPeak.AssembleTiles(), (void*)3, &shapes);
        Assert.Equal(1 + 3 * (4 + 2) + 1, processor.Executed);
        Assert.True(processor.TilesAreReleased);
    }

    void AssertSameBits(TensorType type, int outputs, int inputs, int tokens, bool hasBias, int leastTokens = TileDot.LeastTokens)
    {
        using var weights = new Weights(type, outputs, inputs, seed: tokens);
        using FloatRows x = Activations(tokens, inputs, seed: 9), bias = Activations(1, outputs, seed: 10);
        float[][] expected = Product(weights, x, hasBias ? bias : null, Scalar);
        _executed = 0;
        Assert.Equal(expected, Product(weights, x, hasBias ? bias : null, pool => Emulated(pool, leastTokens)), Bits);
        Assert.Equal(tokens >= leastTokens, _executed > 0);
    }

    static CpuKernels Scalar(ComputePool pool) => CpuKernels.Create(InstructionSet.Scalar, pool);

    CpuKernels<LanesScalar> Emulated(ComputePool pool) => Emulated(pool, TileDot.LeastTokens);

    CpuKernels<LanesScalar> Emulated(ComputePool pool, int leastTokens) =>
        new CpuKernels<LanesScalar>(pool, new TileDot(new LanesDot<LanesScalar>(), Emulate, leastTokens));

    static float[][] Product(Weights weights, FloatRows x, FloatRows? bias, Func<ComputePool, CpuKernels> create)
    {
        using var pool = new ComputePool(1);
        using CpuKernels kernels = create(pool);
        using FloatRows y = new(x.Rows, weights.Outputs);
        kernels.Reserve(x.Rows, weights.Inputs, new AttentionSize(1, 1, 16, 16));
        kernels.MatMul(x, x.Rows, new Product(weights.Matrix, bias, y));
        return Rows(y);
    }

    /// <summary>Gives the processor what the operands point to, and not a byte more.</summary>
    void Emulate(TileKind kind, TileOperands* operands)
    {
        TileOperands o = *operands;
        EmulatedProcessor processor = new();
        long parts = o.Groups * kind.Parts, stretch = o.Groups * QuantizedRows.RowGroupBytes(kind.Tokens);
        processor.Give(operands, sizeof(TileOperands));
        processor.Give(o.Quants, o.Groups * QuantizedPanels.UnpackedBytes);
        processor.Give(o.Scales, parts * QuantizedPanels.PanelOutputs * sizeof(float));
        if (kind.HasMinimums)
            processor.Give(o.Minimums, parts * QuantizedPanels.PanelOutputs * sizeof(float));
        processor.Give(o.Sums, 2 * PanelScratch.TileBytes);
        for (int tile = 0; tile < o.Tiles; tile++)
            processor.Give(o.X + tile * o.XStride, stretch);
        for (int token = 0; token < o.Tiles * kind.Tokens; token++)
            processor.Give((byte*)o.Y + token * o.YStride, QuantizedPanels.PanelOutputs * sizeof(float));
        processor.Run(_code.GetOrAdd(kind, kind => new TileRoutine(kind).Assemble()), operands);
        Assert.True(processor.TilesAreReleased);
        Assert.Equal(0, (nint)o.X % 64); // rows of 32 bytes, none of them in two cache lines
        _executed += processor.Executed;
    }

    static FloatRows Activations(int tokens, int width, int seed)
    {
        var random = new Random(seed);
        var rows = new FloatRows(tokens, width);
        for (int token = 0; token < tokens; token++)
            foreach (ref float value in rows.Span(token)) value = random.NextSingle() - 0.5f;
        return rows;
    }

    static float[][] Rows(FloatRows y) => [.. Enumerable.Range(0, y.Rows).Select(row => y.Span(row).ToArray())];

    static bool Bits(float[] a, float[] b) => MemoryMarshal.AsBytes<float>(a).SequenceEqual(MemoryMarshal.AsBytes<float>(b));
}
