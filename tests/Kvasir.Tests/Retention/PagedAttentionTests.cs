using CsCheck;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Retention;
using Kvasir.KvCache.Views;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Retention;

/// <summary>
/// Rows that read only some pages: which ones, that their bits depend on nothing else, and that what is said of the rest is true.
/// </summary>
[Collection(nameof(Allocations))]
public sealed unsafe class PagedAttentionTests
{
    const int Tokens = 700, From = 655, KvHeads = 2, Group = 3, Dim = 32, Width = KvHeads * Group * Dim, Page = PageBounds.PageTokens;

    static readonly (InstructionSet, int, int)[] s_ways =
        [.. InstructionSets.Available.SelectMany(
            set => ((int, int)[])[(1, 1), (3, 4), (2, Tokens)], (set, way) => (set, way.Item1, way.Item2))];

    [Theory]
    [InlineData("f16", 16)]
    [InlineData("q8_0", 16)]
    [InlineData("f32", 64)]
    public void All_pages_are_what_exact_rows_read(string codec, int blockTokens)
    {
        using var problem = new Problem(Keys.Random, codec, blockTokens);
        float[] exact = problem.Attend(null, InstructionSet.Scalar, threads: 1, chunk: Tokens);
        foreach ((InstructionSet set, int threads, int chunk) in s_ways)
            Assert.Equal(exact.AsSpan(), problem.Attend(Policy("quest:100%,min=0"), set, threads, chunk).AsSpan());
    }

    [Theory]
    [InlineData("quest:25%,min=0")]
    [InlineData("quest:100,min=0,sinks=0,recent=0")]
    [InlineData("quest:eps=0.2,min=0")]
    public void Bits_depend_on_nothing_but_the_sequence(string policy)
    {
        using var problem = new Problem(Keys.Clustered, "f16", 16);
        float[] expected = problem.Attend(Policy(policy), InstructionSet.Scalar, threads: 1, chunk: Tokens);
        Assert.NotEqual(expected, problem.Attend(null, InstructionSet.Scalar, threads: 1, chunk: Tokens));
        foreach ((InstructionSet set, int threads, int chunk) in s_ways)
            Assert.Equal(expected.AsSpan(), problem.Attend(Policy(policy), set, threads, chunk).AsSpan());
    }

    [Fact]
    public void Rows_before_are_exact_and_the_others_attend_to_what_they_chose()
    {
        using var problem = new Problem(Keys.Clustered, "f32", 16);
        float[] exact = problem.Attend(null, InstructionSets.Available.Last(), threads: 2, chunk: Tokens);
        float[] paged = problem.Attend(Policy("quest:20%,min=0"), InstructionSets.Available.Last(), threads: 2, chunk: 1);
        Assert.Equal(exact.AsSpan(0, From * Width), paged.AsSpan(0, From * Width));
        for (int head = 0; head < KvHeads * Group; head++)
            for (int i = 0; i < Dim; i++)
                Assert.Equal(problem.Exact(head, problem.LastPages(head / Group))[i], paged[paged.Length - Width + head * Dim + i], 2e-5);
    }

    /// <summary>First and last ones, and of the others those whose bounds are the largest, of whichever query head.</summary>
    [Theory]
    [InlineData(40, 640), InlineData(100, 592)]
    public void The_pages_that_may_match_best_are_read(int policysRecent, int readFrom)
    {
        using var problem = new Problem(Keys.Random, "f16", 16);
        problem.Attend(Policy($"quest:40%,min=0,sinks=20,recent={policysRecent}"), InstructionSets.Available.Last(), threads: 2, chunk: 7);
        int last = (Tokens - 1) / Page, recent = readFrom / Page;
        int wanted = (int)Math.Ceiling(.4 * (last + 1)) - 2 - (last - recent + 1);
        for (int kvHead = 0; kvHead < KvHeads; kvHead++)
        {
            int head = kvHead;
            double Bound(int page) => Enumerable.Range(0, Group * Page).Max(
                i => problem.Bound(head * Group + i / Page, page * Page + i % Page));
            int[] chosen = problem.LastPages(kvHead)[2..^(last - recent + 1)], others = [.. Enumerable.Range(2, recent - 2).Except(chosen)];
            Assert.Equal(wanted, chosen.Length);
            Assert.Equal([0, 1, .. chosen, .. Enumerable.Range(recent, last - recent + 1)], problem.LastPages(kvHead));
            Assert.True(chosen.Min(Bound) >= others.Max(Bound) - 0.02 * others.Max(Bound)); // queries are rounded
        }
    }

    /// <summary>Ranges are rounded outwards, and a key is in its cell, as far as numbers of its precision can say.</summary>
    [Fact]
    public void Keys_lie_within_their_bounds() => Gen.Select(
        Gen.Int[0, 1 << 20], Prefixes.OneOf(Enum.GetValues<Keys>()), Prefixes.OneOf("f16", "f32", "q8_0")).Sample((seed, keys, codec) =>
        {
            using var problem = new Problem(keys, codec, 16, seed);
            problem.Attend(Policy("quest:20%,min=0"), InstructionSets.Available.Last(), threads: 1, chunk: Tokens);
            for (int position = 0; position < PageBounds.GroupsOf(Tokens) * PageBounds.GroupTokens; position++)
                for (int head = 0; head < KvHeads; head++)
                {
                    float[] key = problem.Stored(head, position);
                    for (int i = 0; i < Dim; i++)
                    {
                        (double least, double most) = problem.Bounds(head, position, i);
                        Assert.InRange(key[i], (float)least, (float)most);
                    }
                }
        }, iter: 6);

    /// <summary>The share that is skipped, in double precision over the keys as they are stored.</summary>
    [Fact]
    public void What_is_skipped_weighs_no_more_than_is_said() =>
        Gen.Select(Gen.Int[0, 1 << 20], Prefixes.OneOf(Enum.GetValues<Keys>()), Prefixes.OneOf("0.3", "0.01", "1e-4", "1e-7"),
            Prefixes.OneOf("", ",sinks=0,recent=0")).Sample((seed, keys, epsilon, always) =>
        {
            using var problem = new Problem(keys, "f16", 16, seed);
            problem.Attend(Policy($"quest:eps={epsilon},min=0{always}"), InstructionSets.Available.Last(), threads: 1, chunk: 1);
            double said = problem.Bounded!.Value, real = 0;
            for (int head = 0; head < KvHeads * Group; head++)
                real = Math.Max(real, problem.Skipped(head));
            Assert.InRange(said, 0, double.Parse(epsilon, System.Globalization.CultureInfo.InvariantCulture));
            Assert.InRange(real, 0, said);
        }, iter: 40);

    [Fact]
    public void What_cannot_matter_is_skipped()
    {
        using var problem = new Problem(Keys.Needle, "f16", 16);
        problem.Attend(Policy("quest:eps=1e-4,min=0"), InstructionSets.Available.Last(), threads: 2, chunk: 1);
        Assert.InRange(problem.LastUse.ReadShare, 0.01, 0.5);
        Assert.InRange(problem.Bounded!.Value, double.Epsilon, 1e-4);
    }

    [Fact]
    public void A_step_allocates_nothing()
    {
        using var problem = new Problem(Keys.Random, "f16", 16);
        Assert.Equal(0, problem.AllocatedBySteps(Policy("quest:25%,min=0")));
        Assert.Equal(0, problem.AllocatedBySteps(Policy("quest:eps=0.01,min=0")));
    }

    [Fact]
    public void The_largest_are_found_and_of_equal_ones_the_first() =>
        Gen.Select(Numbers, Gen.Double[0, 1]).Sample((numbers, share) =>
        {
            int count = (int)(share * numbers.Length);
            int[] places = new int[numbers.Length];
            int found = LargestRanks.Choose([.. numbers.Select(LargestRanks.Of)], count, places);
            Assert.Equal(count, found);
            Assert.Equal(Enumerable.Range(0, numbers.Length).OrderByDescending(i => numbers[i] + 0f).ThenBy(i => i).Take(count).Order(),
                places.Take(found));
        });

    static Gen<float[]> Numbers => Gen.OneOf(Gen.Float[-3, 3], Gen.Int[-2, 2].Select(i => (float)i)).Array[1, 300];

    static RetentionPolicy Policy(string text) => RetentionPolicy.Parse(text)!;

    /// <summary>What keys are like.</summary>
    enum Keys
    {
        /// <summary>Nothing is like anything: bounds are loose.</summary>
        Random,

        /// <summary>Keys of a page are much alike: bounds are tight.</summary>
        Clustered,

        /// <summary>All keys of a page are the same, so a bound is a score.</summary>
        Equal,

        /// <summary>One page, and the first and last ones, are looked at by everybody, the others by nobody.</summary>
        Needle,

        /// <summary>Scores so large that all attention is one page's.</summary>
        Huge,
    }

    sealed class Problem : IDisposable
    {
        readonly KvLayout _layout;
        readonly BlockPool _pool;
        readonly FloatRows _queries, _keys, _values;
        BlockTable _table;
        PageReads? _reads;

        public Problem(Keys kind, string codec, int blockTokens, int seed = 5)
        {
            Assert.True(KvCodecs.TryParse(codec, out IKvCodec? parsed));
            _layout = new KvLayout(blockTokens, parsed, [new KvLayer(new LayerState.Full(), KvHeads, Dim, 0)]);
            _pool = new BlockPool(_layout, new NativeArena(_layout, _layout.BlocksFor(Tokens)));
            Random random = new(seed);
            (_queries, _keys, _values) =
                (Filled(KvHeads * Group * Dim, random), Filled(KvHeads * Dim, random), Filled(KvHeads * Dim, random));
            for (int position = 0; position < Tokens; position++)
                Shape(kind, position, new Random(seed + position / Page));
            _table = new BlockTable(_pool);
        }

        public PageUse LastUse => _reads!.Use;

        public double? Bounded => _reads!.Use.Bound;

        void Shape(Keys kind, int position, Random page)
        {
            Span<float> key = _keys.Span(position);
            bool isWanted = position / Page is 0 or 21 || position > Tokens - 64;
            for (int i = 0; i < key.Length; i++)
            {
                float common = 4 * page.NextSingle() - 2, direction = i % Dim == 3 ? 1 : 0;
                key[i] = kind switch
                {
                    Keys.Clustered => common + key[i] / 20,
                    Keys.Equal => common,
                    Keys.Needle => (isWanted ? 12 : -12) * direction + key[i] / 50,
                    Keys.Huge => common * 40,
                    _ => key[i],
                };
            }
            for (int head = 0; head < KvHeads * Group && kind == Keys.Needle; head++)
                _queries.Span(position)[head * Dim + 3] = 4;
        }

        public float[] Attend(RetentionPolicy? policy, InstructionSet set, int threads, int chunk)
        {
            Begin(policy);
            using var pool = new ComputePool(threads);
            using CpuKernels kernels = CpuKernels.Create(set, pool);
            kernels.Reserve(1, 16, new AttentionSize(KvHeads * Group, Group, Dim, Dim));
            List<float> result = [];
            for (int first = 0, count; first < Tokens; first += count)
            {
                count = Math.Min(first < From ? 64 : chunk, (first < From ? From : Tokens) - first);
                result.AddRange(Chunk(kernels, first, count, isPaged: policy is not null && first >= From));
            }
            return [.. result];
        }

        public long AllocatedBySteps(RetentionPolicy policy)
        {
            Begin(policy);
            using var pool = new ComputePool(2);
            using CpuKernels kernels = CpuKernels.Create(InstructionSets.Available.Last(), pool);
            kernels.Reserve(1, 16, new AttentionSize(KvHeads * Group, Group, Dim, Dim));
            Chunk(kernels, 0, 64 * 10, isPaged: false);
            Chunk(kernels, 64 * 10, Tokens - 64 * 10, isPaged: true);
            using FloatRows output = new(1, Width), query = Slice(_queries, Tokens - 1, 1);
            AttentionInput input = new(_layout, 0, [new RowRun(_table, 0, 1)], [Tokens - 1], query, output);
            kernels.PagedAttention(input);
            return Allocations.Of(() =>
            {
                for (int i = 0; i < 50; i++)
                    kernels.PagedAttention(input);
            });
        }

        /// <summary>The pages that the last row read.</summary>
        public int[] LastPages(int kvHead)
        {
            (int first, int last) = _reads!.Always(Tokens - 1);
            int pages = (Tokens - 1) / Page + 1;
            return [.. Enumerable.Range(0, first), .. _reads.Chosen(0, kvHead), .. Enumerable.Range(pages - last, last)];
        }

        /// <summary>What the last row would gather of some pages, in double precision.</summary>
        public double[] Exact(int head, int[] pages)
        {
            double[] scores = Scores(head), result = new double[Dim];
            int[] read = [.. Enumerable.Range(0, Tokens).Where(position => pages.Contains(position / Page))];
            double most = read.Max(position => scores[position]), total = read.Sum(position => Math.Exp(scores[position] - most));
            for (int i = 0; i < Dim; i++)
                foreach (int position in read)
                    result[i] += Math.Exp(scores[position] - most) / total * _values.Span(position)[head / Group * Dim + i];
            return result;
        }

        /// <summary>The share of the last row's attention that what it did not read has.</summary>
        public double Skipped(int head)
        {
            double[] scores = Scores(head);
            int[] pages = LastPages(head / Group);
            double most = scores.Max(), total = scores.Sum(score => Math.Exp(score - most));
            return Enumerable.Range(0, Tokens).Where(position => !pages.Contains(position / Page))
                .Sum(position => Math.Exp(scores[position] - most)) / total;
        }

        double[] Scores(int head) => [.. Enumerable.Range(0, Tokens).Select(position =>
        {
            float[] key = Stored(head / Group, position);
            return Enumerable.Range(0, Dim).Sum(i => (double)_queries.Span(Tokens - 1)[head * Dim + i] * key[i]) / Math.Sqrt(Dim);
        })];

        /// <summary>What the last row's score of a key can be at most, in double precision.</summary>
        public double Bound(int head, int position) => Enumerable.Range(0, Dim).Sum(i =>
        {
            (double least, double most) = Bounds(head / Group, position, i);
            double query = _queries.Span(Tokens - 1)[head * Dim + i] / Math.Sqrt(Dim) / Math.Log(2);
            return query * (query < 0 ? least : most);
        });

        /// <summary>What is known of an element of a key.</summary>
        public (double Least, double Most) Bounds(int kvHead, int position, int element)
        {
            (int group, PageBounds bounds) = (position / PageBounds.GroupTokens, _reads!.Bounds);
            uint cells = bounds.CellsOf(0, kvHead, group)[element / 16 * PageBounds.GroupTokens + position % PageBounds.GroupTokens];
            double start = (double)BitConverter.UInt16BitsToHalf(bounds.Starts(0, kvHead, group)[element]);
            double width = (double)BitConverter.UInt16BitsToHalf(bounds.Widths(0, kvHead, group)[element]);
            uint cell = cells >> element % 4 * 8 + element % 16 / 4 * 2 & 3;
            return (start + cell * width, start + (cell + 1) * width);
        }

        public float[] Stored(int kvHead, int position)
        {
            float[] key = new float[Dim];
            byte* row = _table.Address(position / _layout.BlockTokens) + _layout.KeyOffset(0, kvHead)
                + position % _layout.BlockTokens * _layout.KeyRowBytes(0);
            _layout.KeyCodec.Decode(new(row, _layout.KeyRowBytes(0)), key);
            return key;
        }

        public void Dispose()
        {
            _table.Dispose();
            _pool.Dispose();
            foreach (FloatRows rows in (FloatRows[])[_queries, _keys, _values])
                rows.Dispose();
        }

        void Begin(RetentionPolicy? policy)
        {
            _table.Dispose();
            _reads = policy is null ? null : new PageReads(_layout, policy, From);
            _table = new BlockTable(_pool) { Pages = _reads };
            Assert.True(_table.TryReserve(Tokens));
            _reads?.Reserve(Tokens);
        }

        float[] Chunk(CpuKernels kernels, int first, int count, bool isPaged)
        {
            using FloatRows queries = Slice(_queries, first, count), keys = Slice(_keys, first, count),
                values = Slice(_values, first, count), output = new(count, Width);
            List<int> positions = [.. Enumerable.Range(first, count)];
            List<RowRun> runs = [.. Enumerable.Range(0, count).Chunk(CpuKernels.RowsPerRun)
                .Select(run => new RowRun(_table, run[0], run.Length))];
            kernels.StoreKv(_layout, 0, runs, positions, keys, values);
            AttentionInput input = new(_layout, 0, runs, positions, queries, output);
            if (isPaged)
                kernels.PagedAttention(input);
            else
                kernels.Attention(input);
            return [.. Enumerable.Range(0, count).SelectMany(row => output.Span(row).ToArray())];
        }

        static FloatRows Slice(FloatRows all, int first, int count)
        {
            var slice = new FloatRows(count, all.Width);
            for (int row = 0; row < count; row++)
                all.Span(first + row).CopyTo(slice.Span(row));
            return slice;
        }

        static FloatRows Filled(int width, Random random)
        {
            var filled = new FloatRows(Tokens, width);
            for (int row = 0; row < Tokens; row++)
                foreach (ref float value in filled.Span(row))
                    value = 4 * random.NextSingle() - 2;
            return filled;
        }
    }
}
