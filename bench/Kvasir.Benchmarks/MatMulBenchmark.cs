using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Kvasir.Inference.Formats;
using Kvasir.Inference.Kernels;

namespace Kvasir.Benchmarks;

/// <summary>
/// One weight matrix of 2048 × 2048 against one token (decode: bound by memory) and 64 tokens (prefill: bound by arithmetic), per weight type and
/// instruction set. Throughput: 2 · 2048² · tokens operations, or 2048² · bytes per weight, over the mean.
/// </summary>
[MemoryDiagnoser]
public unsafe class MatMulBenchmark
{
    const int Size = 2048;

    ComputePool _pool = null!;
    CpuKernels _kernels = null!;
    Matrix _matrix = null!;
    FloatRows _x = null!, _y = null!;
    void* _weights;

    /// <summary>Type of the weights.</summary>
    [Params(TensorType.F32, TensorType.F16, TensorType.Q8_0, TensorType.Q4_0)]
    public TensorType Type { get; set; }

    /// <summary>Rows of activations.</summary>
    [Params(1, 64)]
    public int Tokens { get; set; }

    /// <summary>Name of the instruction set.</summary>
    [Params(nameof(InstructionSet.Vector256), nameof(InstructionSet.Vector512))]
    public string Isa { get; set; } = "";

    /// <summary>Allocates the operands. All-zero weights take the same time as any others.</summary>
    [GlobalSetup]
    public void Setup()
    {
        nuint bytes = (nuint)(Type.RowBytes(Size) * Size);
        _weights = NativeMemory.AlignedAlloc(bytes, 64);
        NativeMemory.Clear(_weights, bytes);
        _matrix = new Matrix(Type, Size, Size, (byte*)_weights);
        (_x, _y) = (new FloatRows(Tokens, Size), new FloatRows(Tokens, Size));
        _pool = new ComputePool(Environment.ProcessorCount);
        _kernels = CpuKernels.Create(Enum.Parse<InstructionSet>(Isa), _pool);
        _kernels.Reserve(Size, 64, 1, 1);
    }

    /// <summary>The product.</summary>
    [Benchmark]
    public void MatMul() => _kernels.MatMul(_matrix, _x, null, _y, Tokens);

    /// <summary>Frees the operands.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _pool.Dispose();
        NativeMemory.AlignedFree(_weights);
    }
}
