using BenchmarkDotNet.Attributes;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;

namespace Kvasir.Benchmarks;

/// <summary>
/// One layer's attention at a depth of 4,096 tokens, smollm2-135m's heads (9 on 3 of 64, f16): the last token alone (decode: bound by
/// memory) and the last 256 (prefill: bound by arithmetic). Throughput: 4 · 9 · 64 · 4096 operations a token, or 4 · 3 · 64 · 4096 bytes,
/// over the mean. Decode's 3 MiB may stay in the cache: a model has many layers, and reads memory.
/// </summary>
[MemoryDiagnoser]
public class AttentionBenchmark
{
    const int Depth = 4096, KvHeads = 3, Group = 3, HeadDim = 64;

    readonly KvLayout _layout = new(16, F16Codec.Instance, [new KvLayer(new LayerState.Full(), KvHeads, HeadDim, 0)]);
    readonly List<RowRun> _runs = [];
    readonly List<int> _positions = [];
    ComputePool _pool = null!;
    CpuKernels _kernels = null!;
    BlockPool _blocks = null!;
    BlockTable _table = null!;
    FloatRows _queries = null!, _output = null!;

    /// <summary>Tokens that attend.</summary>
    [Params(1, 256)]
    public int Tokens { get; set; }

    /// <summary>Name of the instruction set.</summary>
    [Params(nameof(InstructionSet.Vector256), nameof(InstructionSet.Vector512))]
    public string Isa { get; set; } = "";

    /// <summary>Fills the cache. All-zero keys and values take the same time as any others.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _blocks = new BlockPool(_layout, new NativeArena(_layout, _layout.BlocksFor(Depth)));
        _table = new BlockTable(_blocks);
        if (!_table.TryReserve(Depth))
            throw new InvalidOperationException("the pool is too small");
        for (int block = 0; block < _layout.BlocksFor(Depth); block++)
            Clear(block);
        (_queries, _output) = (new FloatRows(Tokens, KvHeads * Group * HeadDim), new FloatRows(Tokens, KvHeads * Group * HeadDim));
        for (int row = 0; row < Tokens; row++)
            _positions.Add(Depth - Tokens + row);
        for (int row = 0; row < Tokens; row += CpuKernels.RowsPerRun)
            _runs.Add(new RowRun(_table, row, Math.Min(CpuKernels.RowsPerRun, Tokens - row)));
        _pool = new ComputePool(Environment.ProcessorCount);
        _kernels = CpuKernels.Create(Enum.Parse<InstructionSet>(Isa), _pool);
        _kernels.Reserve(tokens: 1, columns: HeadDim, new AttentionSize(KvHeads * Group, Group, HeadDim, HeadDim));
    }

    /// <summary>The attention.</summary>
    [Benchmark]
    public void Attention() => _kernels.Attention(new AttentionInput(_layout, 0, _runs, _positions, _queries, _output));

    /// <summary>Frees the operands.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _pool.Dispose();
        _table.Dispose();
        _blocks.Dispose();
    }

    unsafe void Clear(int block) => new Span<byte>(_table.Address(block), (int)_layout.BlockBytes).Clear();
}
