using BenchmarkDotNet.Attributes;
using Kvasir.Formats;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Benchmarks;

/// <summary>
/// From how many tokens on tiles of AMX are faster than vectors: what <see cref="TileDot.LeastTokens"/> should be. One weight matrix of
/// 8192 × 2048, on all processors. On a machine without AMX only vectors are measured.
/// </summary>
[Config(typeof(WithRates))]
public unsafe class TilesBenchmark : IRated
{
    const int Outputs = 8192, Inputs = 2048;

    ComputePool _pool = null!;
    CpuKernels _kernels = null!;
    PackedMatrix _matrix = null!;
    WeightMemory _memory = null!;
    FloatRows _x = null!, _y = null!;

    /// <summary>Type of the weights.</summary>
    [Params(TensorType.Q8_0, TensorType.Q4_0, TensorType.Q4_K, TensorType.Q6_K)]
    public TensorType Type { get; set; }

    /// <summary>Rows of activations.</summary>
    [Params(4, 8, 12, 16, 24, 32, 64, 512)]
    public int Tokens { get; set; }

    /// <summary>What multiplies.</summary>
    [ParamsSource(nameof(All))]
    public string With { get; set; } = "";

    /// <summary>What this machine has.</summary>
    public static IEnumerable<string> All => AmxPermission.Instance.IsGranted ? ["vectors", "tiles"] : ["vectors"];

    /// <inheritdoc/>
    public double Bytes => (double)Type.RowBytes(Inputs) * Outputs;

    /// <inheritdoc/>
    public double Operations => 2.0 * Outputs * Inputs * Tokens;

    /// <summary>Allocates the operands. All-zero weights take the same time as any others.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _matrix = new PackedMatrix(Type, Outputs, Inputs);
        _memory = new WeightMemory(_matrix.Bytes);
        _matrix.Place(_memory.Start);
        byte[] rows = new byte[_matrix.Format.Outputs * Type.RowBytes(Inputs)];
        for (int panel = 0; panel < _matrix.Panels; panel++)
            _matrix.Pack(rows, _matrix.Panel(panel));
        (_x, _y) = (new FloatRows(Tokens, Inputs), new FloatRows(Tokens, Outputs));
        _pool = new ComputePool(Environment.ProcessorCount);
        DotKernel dot = With == "tiles" ? EmittedTiles.Kernel(leastTokens: 1)
            : EmittedDot.Instance ?? throw new InvalidOperationException("needs AVX-512 VNNI");
        _kernels = new CpuKernels<Lanes512>(_pool, dot);
        _kernels.Reserve(Tokens, Inputs, new AttentionSize(1, 1, 64, 64));
    }

    /// <summary>The product.</summary>
    [Benchmark]
    public void MatMul() => _kernels.MatMul(_x, Tokens, new Product(_matrix, null, _y));

    /// <summary>Frees the operands.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _kernels.Dispose();
        _pool.Dispose();
        _memory.Dispose();
    }
}
