using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Kernels;

/// <summary>Sequences that begin alike read what they share together, and each gathers the bits that it would alone.</summary>
[Collection(nameof(Allocations))]
public sealed unsafe class SharedAttentionTests : IDisposable
{
    const int KvHeads = 2, Group = 3, Dim = 32, BlockTokens = 16, Stretch = AttentionInput.Stretch;

    readonly KvLayout _layout;
    readonly BlockPool _pool;
    readonly List<BlockTable> _tables = [];
    readonly List<int> _positions = []; // of each table's first row
    readonly Random _random = new(7);

    public SharedAttentionTests() : this(window: 0) { }

    SharedAttentionTests(int window)
    {
        LayerState state = window == 0 ? new LayerState.Full() : new LayerState.Window(window);
        _layout = new KvLayout(BlockTokens, F16Codec.Instance, [new KvLayer(state, KvHeads, Dim, Dim, 0)]);
        _pool = new BlockPool(_layout, new NativeArena(_layout, 1200));
    }

    public void Dispose()
    {
        foreach (BlockTable table in _tables)
            table.Dispose();
        _pool.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1300)] // of some, part of what is shared lies behind the window
    public void Bits_are_those_of_each_alone(int window)
    {
        using SharedAttentionTests problem = new(window);
        problem.AddFamily();
        (float[] alone, _) = problem.Attend(InstructionSet.Scalar, threads: 1, together: false);
        foreach (InstructionSet set in InstructionSets.Available)
            foreach (int threads in (int[])[1, 2, 3])
            {
                (float[] together, int joined) = problem.Attend(set, threads, together: true);
                Assert.Equal(alone.AsSpan(), together.AsSpan());
                Assert.True(joined > 0);
            }
    }

    /// <summary>A long prefix, another that goes on from it for some, and each one's own end.</summary>
    [Fact]
    public void What_is_shared_is_read_once_for_all_who_share_it()
    {
        AddFamily();
        StretchPlan plan = new();
        AttentionInput input = Input(Runs(rowsEach: 1), null!, null!);
        Assert.False(plan.FindShared(input, mayShare: false));
        plan.List(input, 0, 2);
        Assert.All(plan.Work(0), work => Assert.Equal(1, work.Run.Rows));
        Assert.True(plan.FindShared(input));
        plan.List(input, 2, 2);
        // tables 0 to 4 share two stretches and a block more than a tile's, of which 0 to 2 share a third and some; 5 has nothing in common
        Assert.Equal(3, plan.Levels);
        Assert.Equal(["0+5 0-1", "5+1 0-8 ends"], Work(0));
        Assert.Equal(["0+3 1-8", "3+1 1-8 ends", "4+1 1-8 ends"], Work(1));
        Assert.Equal(["0+1 8-8 ends", "1+1 8-8 ends", "2+1 8-8 ends"], Work(2));

        IEnumerable<string> Work(int level) => plan.Work(level).Select(work =>
            $"{work.Run.FirstRow}+{work.Run.Rows} {work.Tiles.First}-{work.Tiles.End}{(work.Tiles.Ends ? " ends" : "")}");
    }

    [Fact]
    public void Sharing_allocates_nothing()
    {
        AddFamily();
        using var pool = new ComputePool(2);
        using CpuKernels kernels = Kernels(InstructionSets.Available.Last(), pool);
        using FloatRows queries = Filled(_tables.Count), output = new(_tables.Count, KvHeads * Group * Dim);
        AttentionInput input = Input(Runs(rowsEach: 1), queries, output);
        kernels.Attention(input);
        Assert.Equal(0, Allocations.Of(() =>
        {
            for (int i = 0; i < 50; i++)
                kernels.Attention(input);
        }));
    }

    void AddFamily()
    {
        int common = 2 * Stretch / BlockTokens + 5, further = Stretch / BlockTokens;
        Add(shared: 0, blocks: common + further + 9);
        Add(common + further, common + further + 40);
        Add(common + further, common + further + 1);
        Add(common, common + 70);
        Add(common, common + 2);
        Add(shared: 0, blocks: common + 11);
    }

    /// <summary>A sequence that has its first blocks in common with the first one, which gives them names.</summary>
    void Add(int shared, int blocks)
    {
        var table = new BlockTable(_pool);
        for (int i = 0; i < shared; i++)
            table.Add(((BlockLease)_tables[0][i]).Share());
        for (int i = shared; i < blocks; i++)
        {
            MutableBlock block = _pool.TryAllocate()!;
            foreach (ref ushort half in new Span<ushort>(_pool.Address(block), (int)_layout.BlockBytes / sizeof(ushort)))
                half = BitConverter.HalfToUInt16Bits((Half)(4 * _random.NextSingle() - 2));
            table.Add(block.Complete().Register(Name(_random), Name(_random), [.. Enumerable.Repeat(_tables.Count, BlockTokens)]));
        }
        _tables.Add(table);
        _positions.Add(blocks * BlockTokens - 5);
    }

    static BlockKey Name(Random random)
    {
        byte[] bytes = new byte[Digest.Size];
        random.NextBytes(bytes);
        return new BlockKey(new Digest(bytes));
    }

    /// <summary>All rows, three of each sequence, and how many items of work were of several sequences.</summary>
    (float[] Output, int Joined) Attend(InstructionSet set, int threads, bool together)
    {
        using var pool = new ComputePool(threads);
        using CpuKernels kernels = Kernels(set, pool);
        List<RowRun> runs = Runs(rowsEach: 3);
        int rows = runs.Sum(run => run.Rows);
        using FloatRows queries = Filled(rows), output = new(rows, KvHeads * Group * Dim);
        AttentionInput all = Input(runs, queries, output);
        if (together)
            kernels.Attention(all);
        else
            foreach (RowRun run in runs)
                kernels.Attention(all.Of([run]));
        StretchPlan plan = new();
        plan.FindShared(all);
        plan.List(all, 0, 3);
        return ([.. Enumerable.Range(0, rows).SelectMany(row => output.Span(row).ToArray())],
            Enumerable.Range(0, plan.Levels).Sum(level => plan.Work(level).Count(work => !work.Tiles.Ends)));
    }

    List<RowRun> Runs(int rowsEach) => [.. _tables.Select((table, i) => new RowRun(table, i * rowsEach, rowsEach))];

    AttentionInput Input(List<RowRun> runs, FloatRows queries, FloatRows output) =>
        new(_layout, 0, runs, [.. runs.SelectMany((run, i) => Enumerable.Range(_positions[i], run.Rows))], queries, output);

    static CpuKernels Kernels(InstructionSet set, ComputePool pool)
    {
        CpuKernels kernels = CpuKernels.Create(set, pool);
        kernels.Reserve(tokens: 1, columns: 16, new AttentionSize(KvHeads * Group, Group, Dim, Dim));
        return kernels;
    }

    static FloatRows Filled(int rows)
    {
        Random random = new(3);
        var filled = new FloatRows(rows, KvHeads * Group * Dim);
        for (int row = 0; row < rows; row++)
            foreach (ref float value in filled.Span(row))
                value = 4 * random.NextSingle() - 2;
        return filled;
    }
}
