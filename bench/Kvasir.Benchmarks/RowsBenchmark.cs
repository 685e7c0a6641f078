using BenchmarkDotNet.Attributes;
using Kvasir.Formats.Models;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;

namespace Kvasir.Benchmarks;

/// <summary>
/// What a forward pass does to rows of activations between its products, for 512 tokens of llama-3.2-1b's shape: all are bound by memory,
/// so their limit is the read (and write) bandwidth of <c>kvasir limits</c>, or the cache's where rows still lie there.
/// </summary>
[Config(typeof(WithRates))]
public class RowsBenchmark : IRated
{
    const int Tokens = 512, Width = 2048, FeedForward = 8192, Heads = 32, KvHeads = 8, HeadDim = 64;

    readonly FloatRows _x = Filled(Width), _y = Filled(Width), _weight = new(1, Width),
        _gate = Filled(FeedForward), _up = Filled(FeedForward);
    readonly FloatRows _keys = Filled(KvHeads * HeadDim), _values = Filled(KvHeads * HeadDim);
    readonly QuantizedRows _quantized = new(Tokens, Width);
    readonly RopeTable _rope = new(new RopeSpec(500_000, HeadDim, RopeStyle.Adjacent), [.. Enumerable.Repeat(1f, HeadDim / 2)], Tokens);
    readonly KvLayout _layout = new(16, F16Codec.Instance, [new KvLayer(new LayerState.Full(), KvHeads, HeadDim, 0)]);
    readonly List<int> _positions = [.. Enumerable.Range(0, Tokens)];
    ComputePool _pool = null!;
    CpuKernels _kernels = null!;
    BlockPool _blocks = null!;
    List<RowRun> _runs = null!;

    /// <summary>The operation.</summary>
    [Params(nameof(CpuKernels.RmsNorm), nameof(CpuKernels.Rope), nameof(CpuKernels.SwiGlu), nameof(CpuKernels.Add),
        nameof(CpuKernels.StoreKv), "Quantize")]
    public string Operation { get; set; } = "";

    /// <inheritdoc/>
    public double Bytes => sizeof(float) * (double)Tokens * Operation switch
    {
        nameof(CpuKernels.SwiGlu) => 3 * FeedForward,
        nameof(CpuKernels.Add) => 3 * Width,
        nameof(CpuKernels.StoreKv) => 3 * KvHeads * HeadDim, // two rows in, two of half the size out
        "Quantize" => 1.4 * Width,
        _ => 2 * Width,
    };

    /// <inheritdoc/>
    public double Operations => 0;

    /// <summary>Allocates the operands.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _pool = new ComputePool(Environment.ProcessorCount);
        _kernels = CpuKernels.Create(InstructionSets.Chosen(), _pool);
        _blocks = new BlockPool(_layout, new NativeArena(_layout, _layout.BlocksFor(Tokens)));
        var table = new BlockTable(_blocks);
        table.TryReserve(Tokens);
        _runs = [.. _positions.Chunk(CpuKernels.RowsPerRun).Select(run => new RowRun(table, run[0], run.Length))];
    }

    /// <summary>Runs it once.</summary>
    [Benchmark]
    public void Run()
    {
        switch (Operation)
        {
            case nameof(CpuKernels.RmsNorm): _kernels.RmsNorm(_x, _weight, 1e-5f, _y, Tokens); break;
            case nameof(CpuKernels.Rope): _kernels.Rope(_rope, _x, HeadDim, Tokens); break;
            case nameof(CpuKernels.SwiGlu): _kernels.SwiGlu(_gate, _up, Tokens); break;
            case nameof(CpuKernels.Add): _kernels.Add(_x, _y, 1, Tokens); break;
            case nameof(CpuKernels.StoreKv): _kernels.StoreKv(_layout, 0, _runs, _positions, _keys, _values); break;
            default:
                var job = new Quantize<Lanes512>(_x, Width, Tokens, halves: false, inRows: false, _quantized);
                _pool.Run(ref job, QuantizedRows.Tiles(Tokens));
                break;
        }
    }

    /// <summary>Ends the threads.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _kernels.Dispose();
        _pool.Dispose();
    }

    static FloatRows Filled(int width)
    {
        var rows = new FloatRows(Tokens, width);
        for (int row = 0; row < Tokens; row++)
            rows.Span(row).Fill(0.5f);
        return rows;
    }
}
