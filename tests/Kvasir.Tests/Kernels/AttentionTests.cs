using CsCheck;
using Kvasir.Inference.Kernels;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;

namespace Kvasir.Tests.Kernels;

public class AttentionTests
{
    /// <summary>Against softmax(q·K)·V in double precision: any number of heads, groups, widths, tokens, windows.</summary>
    [Fact]
    public void Attention_is_that_of_double_precision() =>
        Gen.Select(Gen.Int[1, 3], Gen.Int[1, 4], Gen.Int[0, 3].Select(i => new[] { 8, 16, 20, 64 }[i]), Gen.Int[1, 70], Gen.Int[0, 3].Select(i => new[] { 0, 1, 5, 33 }[i])).Sample(
            (kvHeads, group, dim, tokens, window) =>
            {
                foreach (InstructionSet set in InstructionSets.Available)
                    Check(set, kvHeads, group, dim, tokens, window);
            }, iter: 60);

    static void Check(InstructionSet set, int kvHeads, int group, int dim, int tokens, int window)
    {
        var random = new Random(tokens * 31 + dim);
        LayerState state = window == 0 ? new LayerState.Full() : new LayerState.Window(window);
        var layout = new KvLayout(16, F32Codec.Instance, [new KvLayer(state, kvHeads, dim, 0)]);
        using var blocks = new BlockPool(layout, layout.BlocksFor(tokens));
        using var table = new BlockTable(blocks);
        Assert.True(table.TryReserve(tokens));
        using FloatRows queries = Filled(tokens, kvHeads * group * dim, random), keys = Filled(tokens, kvHeads * dim, random);
        using FloatRows values = Filled(tokens, kvHeads * dim, random), output = new(tokens, kvHeads * group * dim);
        List<int> positions = [.. Enumerable.Range(0, tokens)];
        List<RowRun> runs = [.. positions.Chunk(CpuKernels.RowsPerRun).Select(run => new RowRun(table, run[0], run.Length))];
        using var pool = new ComputePool(2);
        CpuKernels kernels = CpuKernels.Create(set, pool);
        kernels.Reserve(16, dim, kvHeads, group);
        kernels.StoreKv(layout, 0, runs, positions, keys, values);
        kernels.Attention(layout, 0, runs, positions, queries, output);
        for (int token = 0; token < tokens; token++)
            for (int head = 0; head < kvHeads * group; head++)
                AssertAttended(queries, keys, values, output, token, head, head / group, dim, state.FirstVisible(token));
    }

    static void AssertAttended(FloatRows queries, FloatRows keys, FloatRows values, FloatRows output, int token, int head, int kvHead, int dim, int first)
    {
        double[] weights = new double[token - first + 1];
        for (int t = first; t <= token; t++)
            for (int i = 0; i < dim; i++)
                weights[t - first] += (double)queries.Span(token)[head * dim + i] * keys.Span(t)[kvHead * dim + i] / Math.Sqrt(dim);
        double largest = weights.Max(), total = weights.Sum(weight => Math.Exp(weight - largest));
        for (int i = 0; i < dim; i++)
        {
            double exact = 0;
            for (int t = first; t <= token; t++)
                exact += Math.Exp(weights[t - first] - largest) / total * values.Span(t)[kvHead * dim + i];
            Assert.Equal(exact, output.Span(token)[head * dim + i], 2e-5);
        }
    }

    static FloatRows Filled(int rows, int width, Random random)
    {
        var filled = new FloatRows(rows, width);
        for (int row = 0; row < rows; row++)
            foreach (ref float value in filled.Span(row))
                value = 4 * random.NextSingle() - 2;
        return filled;
    }
}
