using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Retention;
using Kvasir.KvCache.Views;

namespace Kvasir.Tests.Retention;

/// <summary>
/// Rows behind a view attend to what it keeps and to each other, and to nothing else; their bits depend on neither the instruction set nor
/// the threads nor who shares the batch.
/// </summary>
public sealed unsafe class ViewAttentionTests
{
    const int Prefix = 592, Rows = 21, KvHeads = 2, Group = 3, Dim = 32;

    public static TheoryData<int, int> Lengths() => new()
    {
        { 1, 1 }, { 15, 63 }, { 64, 65 }, { 16, 513 }, { 592, 17 },
    };

    [Theory]
    [MemberData(nameof(Lengths))]
    public void Rows_attend_to_what_is_kept_and_to_each_other(int first, int second)
    {
        using var problem = new Problem(first, second, window: 0);
        float[] attended = problem.Attend(InstructionSets.Available.Last(), threads: 2, chunk: Rows);
        for (int row = 0; row < Rows; row++)
            for (int head = 0; head < KvHeads * Group; head++)
                problem.AssertNear(attended, row, head, 2e-6);
    }

    [Theory]
    [MemberData(nameof(Lengths))]
    public void Bits_depend_on_nothing_but_the_view(int first, int second)
    {
        using var problem = new Problem(first, second, window: 0);
        float[] expected = problem.Attend(InstructionSet.Scalar, threads: 1, chunk: Rows);
        foreach (InstructionSet set in InstructionSets.Available)
            foreach ((int threads, int chunk) in ((int, int)[])[(1, 1), (3, 4), (2, Rows)])
                Assert.Equal(expected.AsSpan(), problem.Attend(set, threads, chunk).AsSpan());
    }

    [Fact]
    public void A_window_hides_what_lies_behind_it()
    {
        using var problem = new Problem(40, 40, window: 40);
        float[] attended = problem.Attend(InstructionSets.Available.Last(), threads: 2, chunk: 5);
        for (int row = 0; row < Rows; row++)
            for (int head = 0; head < KvHeads * Group; head++)
                problem.AssertNear(attended, row, head, 2e-6);
    }

    /// <summary>A prefix of which two heads keep different positions, and rows after it.</summary>
    sealed class Problem : IDisposable
    {
        readonly KvLayout _layout;
        readonly BlockPool _pool;
        readonly BlockTable _exact, _tail;
        readonly RetainedView _view;
        readonly FloatRows _queries, _keys, _values;
        readonly int[][] _kept;
        readonly int _window;

        public Problem(int first, int second, int window)
        {
            _window = window;
            LayerState state = window == 0 ? new LayerState.Full() : new LayerState.Window(window);
            _layout = new KvLayout(16, F32Codec.Instance, [new KvLayer(state, KvHeads, Dim, 0)]);
            _pool = new BlockPool(_layout, new NativeArena(_layout, 3 * _layout.BlocksFor(Prefix + Rows)));
            Random random = new(first * 31 + second);
            (_queries, _keys, _values) =
                (Filled(Rows, KvHeads * Group * Dim, random), Filled(Prefix + Rows, KvHeads * Dim, random),
                    Filled(Prefix + Rows, KvHeads * Dim, random));
            _exact = new BlockTable(_pool);
            Assert.True(_exact.TryReserve(Prefix));
            using CpuKernels kernels = CpuKernels.Create(InstructionSet.Scalar, new ComputePool(1));
            kernels.StoreKv(_layout, 0, [new RowRun(_exact, 0, Prefix)], [.. Enumerable.Range(0, Prefix)], _keys, _values);
            _kept = [Choose(first, random), Choose(second, random)];
            var codecs = new ViewCodecs(F32Codec.Instance, F32Codec.Instance);
            var kept = new KeptPositions(ViewShape.Of(_layout, codecs, Prefix), _kept);
            nint[] blocks = [.. Enumerable.Range(0, _layout.BlocksFor(Prefix)).Select(block => (nint)_exact.Address(block))];
            _view = new ViewGathering(_pool, blocks, new ViewName(default, Prefix, "by hand", "f32", "f32"), codecs, kept).TryGather()!;
            _tail = new BlockTable(_pool) { View = _view };
            Assert.True(_tail.TryReserve(Rows));
        }

        public float[] Attend(InstructionSet set, int threads, int chunk)
        {
            using var pool = new ComputePool(threads);
            using CpuKernels kernels = CpuKernels.Create(set, pool);
            kernels.Reserve(1, 16, new AttentionSize(KvHeads * Group, Group, Dim, Dim));
            List<float> result = [];
            for (int first = 0; first < Rows; first += chunk)
            {
                int count = Math.Min(chunk, Rows - first);
                using FloatRows queries = Slice(_queries, first, count), keys = Slice(_keys, Prefix + first, count),
                    values = Slice(_values, Prefix + first, count), output = new(count, KvHeads * Group * Dim);
                List<RowRun> runs = [new RowRun(_tail, 0, count)];
                List<int> positions = [.. Enumerable.Range(Prefix + first, count)];
                kernels.StoreKv(_layout, 0, runs, positions, keys, values);
                kernels.Attention(new AttentionInput(_layout, 0, runs, positions, queries, output));
                for (int row = 0; row < count; row++)
                    result.AddRange(output.Span(row));
            }
            return [.. result];
        }

        /// <summary>softmax(q · K / √d) · V in double precision, over the kept positions and the rows up to this one.</summary>
        public void AssertNear(float[] attended, int row, int head, double tolerance)
        {
            int kvHead = head / Group, position = Prefix + row;
            int[] seen = [.. _kept[kvHead].Concat(Enumerable.Range(Prefix, row + 1)).Where(p => _window == 0 || p > position - _window)];
            double[] scores = [.. seen.Select(p => Enumerable.Range(0, Dim).Sum(i =>
                (double)_queries.Span(row)[head * Dim + i] * _keys.Span(p)[kvHead * Dim + i]) / Math.Sqrt(Dim))];
            double most = scores.Max(), total = scores.Sum(score => Math.Exp(score - most));
            for (int i = 0; i < Dim; i++)
            {
                double expected = seen.Select((p, at) => Math.Exp(scores[at] - most) / total * _values.Span(p)[kvHead * Dim + i]).Sum();
                Assert.InRange(attended[(row * KvHeads * Group + head) * Dim + i], expected - tolerance, expected + tolerance);
            }
        }

        public void Dispose()
        {
            _tail.Dispose();
            _exact.Dispose();
            _view.Release();
            _pool.Dispose();
        }

        int[] Choose(int count, Random random)
        {
            if (_window > 0)
                return [.. Enumerable.Range(Prefix - count, count)];
            int[] all = [.. Enumerable.Range(0, Prefix)];
            random.Shuffle(all);
            return [.. all.Take(count).Order()];
        }

        static FloatRows Slice(FloatRows all, int first, int count)
        {
            var slice = new FloatRows(count, all.Width);
            for (int row = 0; row < count; row++)
                all.Span(first + row).CopyTo(slice.Span(row));
            return slice;
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
}
