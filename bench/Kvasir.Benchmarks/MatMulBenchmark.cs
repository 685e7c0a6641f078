using BenchmarkDotNet.Attributes;
using Kvasir.Formats;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Benchmarks;

/// <summary>
/// One weight matrix of 8192 × 2048 against one token (decode: bound by memory) and 512 tokens (prefill: bound by arithmetic),
/// per weight type and instruction set. The limits, to be read from <c>kvasir limits</c>: the matrix's bytes over the read
/// bandwidth, and 2 · 8192 · 2048 · tokens operations over the peak, of fp32 for float weights and int8 for the others. The
/// columns GB/s and GOP/s say what was reached.
/// </summary>
[Config(typeof(WithRates))]
public unsafe class MatMulBenchmark : IRated
{
    const int Outputs = 8192, Inputs = 2048;

    ComputePool _pool = null!;
    CpuKernels _kernels = null!;
    PackedMatrix _matrix = null!;
    WeightMemory _memory = null!;
    FloatRows _x = null!, _y = null!;

    /// <summary>Type of the weights.</summary>
    [Params(TensorType.F32, TensorType.F16, TensorType.BF16, TensorType.Q8_0, TensorType.Q4_0, TensorType.Q4_K,
        TensorType.Q5_K, TensorType.Q6_K)]
    public TensorType Type { get; set; }

    /// <summary>Rows of activations.</summary>
    [Params(1, 512)]
    public int Tokens { get; set; }

    /// <summary>Name of the instruction set.</summary>
    [ParamsSource(nameof(Sets))]
    public string Isa { get; set; } = "";

    /// <summary>The vector sets of this machine.</summary>
    public static IEnumerable<string> Sets =>
        InstructionSets.Available.Where(set => set != InstructionSet.Scalar).Select(set => set.ToString());

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
            _matrix.Pack(rows, _matrix.Panel(panel)); // touches the memory: pages that were never written are all one page of zeros
        (_x, _y) = (new FloatRows(Tokens, Inputs), new FloatRows(Tokens, Outputs));
        _pool = new ComputePool(Environment.ProcessorCount);
        _kernels = CpuKernels.Create(Enum.Parse<InstructionSet>(Isa), _pool);
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
