using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Kernels;

/// <summary>What attention is asked to do.</summary>
/// <param name="Codec">How keys and values are stored.</param>
/// <param name="KvHeads">KV heads.</param>
/// <param name="Group">Query heads to each.</param>
/// <param name="HeadDim">Elements of a head's query and key, and of its value if nothing else is said.</param>
/// <param name="Tokens">Tokens of the sequence.</param>
/// <param name="Window">Tokens that one sees; 0 for all.</param>
/// <param name="BlockTokens">Tokens of a block.</param>
sealed record AttentionShape(IKvCodec Codec, int KvHeads, int Group, int HeadDim, int Tokens, int Window = 0, int BlockTokens = 16)
{
    /// <summary>Elements of a head's value.</summary>
    public int ValueDim { get; init; } = HeadDim;
}

/// <summary>One layer with random queries, keys and values, to be attended to in chunks.</summary>
sealed unsafe class AttentionProblem : IDisposable
{
    readonly AttentionShape _shape;
    readonly byte _beyond;
    readonly KvLayout _layout;
    readonly BlockPool _blocks;
    readonly BlockTable _table;
    readonly FloatRows _queries, _keys, _output;

    public AttentionProblem(AttentionShape shape, byte beyond = 0)
    {
        (_shape, _beyond) = (shape, beyond);
        LayerState state = shape.Window == 0 ? new LayerState.Full() : new LayerState.Window(shape.Window);
        _layout = new KvLayout(shape.BlockTokens, shape.Codec, [new KvLayer(state, shape.KvHeads, shape.HeadDim, shape.ValueDim, 0)]);
        _blocks = new BlockPool(_layout, new NativeArena(_layout, _layout.BlocksFor(shape.Tokens)));
        _table = new BlockTable(_blocks);
        Assert.True(_table.TryReserve(shape.Tokens));
        var random = new Random(shape.Tokens * 31 + shape.HeadDim);
        _queries = Filled(shape.Tokens, shape.KvHeads * shape.Group * shape.HeadDim, random);
        _keys = Filled(shape.Tokens, shape.KvHeads * shape.HeadDim, random);
        Values = Filled(shape.Tokens, shape.KvHeads * shape.ValueDim, random);
        _output = new FloatRows(shape.Tokens, OutputWidth);
    }

    public FloatRows Values { get; }

    int OutputWidth => _shape.KvHeads * _shape.Group * _shape.ValueDim;

    AttentionSize Size => new(_shape.KvHeads * _shape.Group, _shape.Group, _shape.HeadDim, _shape.ValueDim);

    /// <summary>
    /// Stores and attends chunk by chunk, so that memory beyond a chunk is as it was; returns [tokens, heads · head dim].
    /// </summary>
    public float[] Attend(InstructionSet set, int threads, int chunk)
    {
        for (int block = 0; block < _layout.BlocksFor(_shape.Tokens); block++)
            new Span<byte>(_table.Address(block), (int)_layout.BlockBytes).Fill(_beyond);
        using var pool = new ComputePool(threads);
        CpuKernels kernels = CpuKernels.Create(set, pool);
        kernels.Reserve(tokens: 1, columns: 16, Size);
        List<float> result = [];
        for (int first = 0; first < _shape.Tokens; first += chunk)
            result.AddRange(Chunk(kernels, first, Math.Min(chunk, _shape.Tokens - first)));
        return [.. result];
    }

    /// <summary>
    /// Bytes of managed memory that the last token's attention allocates, on all threads, once everything has run before; so
    /// often that each thread has a part.
    /// </summary>
    public long AllocatedBySteps()
    {
        using var pool = new ComputePool(2);
        CpuKernels kernels = CpuKernels.Create(InstructionSets.Available.Last(), pool);
        kernels.Reserve(tokens: 1, columns: 16, Size);
        Chunk(kernels, 0, _shape.Tokens);
        List<RowRun> runs = [new RowRun(_table, 0, 1)];
        List<int> positions = [_shape.Tokens - 1];
        return Allocations.Of(() =>
        {
            for (int i = 0; i < 50; i++)
                kernels.Attention(new(_layout, 0, runs, positions, _queries, _output));
        });
    }

    /// <summary>softmax(q · K / sqrt(key dim)) · V in double precision.</summary>
    public double[] Exact(int token, int head)
    {
        int dim = _shape.HeadDim, values = _shape.ValueDim, kvHead = head / _shape.Group;
        int first = _shape.Window == 0 ? 0 : Math.Max(0, token - _shape.Window + 1);
        double[] weights = new double[token - first + 1], result = new double[values];
        for (int t = first; t <= token; t++)
            for (int i = 0; i < dim; i++)
                weights[t - first] += (double)_queries.Span(token)[head * dim + i] * _keys.Span(t)[kvHead * dim + i] / Math.Sqrt(dim);
        double largest = weights.Max(), total = weights.Sum(weight => Math.Exp(weight - largest));
        for (int t = first; t <= token; t++)
            for (int i = 0; i < values; i++)
                result[i] += Math.Exp(weights[t - first] - largest) / total * Values.Span(t)[kvHead * values + i];
        return result;
    }

    public void Dispose()
    {
        foreach (FloatRows rows in (FloatRows[])[_queries, _keys, Values, _output])
            rows.Dispose();
        _table.Dispose();
        _blocks.Dispose();
    }

    float[] Chunk(CpuKernels kernels, int first, int count)
    {
        using FloatRows queries = Slice(_queries, first, count), keys = Slice(_keys, first, count), values = Slice(Values, first, count);
        using FloatRows output = new(count, OutputWidth);
        List<int> positions = [.. Enumerable.Range(first, count)];
        List<RowRun> runs =
            [.. Enumerable.Range(0, count).Chunk(CpuKernels.RowsPerRun).Select(run => new RowRun(_table, run[0], run.Length))];
        kernels.StoreKv(_layout, 0, runs, positions, keys, values);
        kernels.Attention(new(_layout, 0, runs, positions, queries, output));
        return [.. Enumerable.Range(0, count).SelectMany(row => output.Span(row).ToArray())];
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
