using System.Runtime.ExceptionServices;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Model;

/// <summary>How much of a model's weights is in memory, in bytes of the file.</summary>
public readonly record struct LoadProgress(long Done, long Total);

/// <summary>
/// Brings matrices from the file into panels, on all processors. Rows are read, not mapped: what the file holds and what the panels hold is never in
/// memory at once.
/// </summary>
sealed unsafe class WeightPacking(GgufFile file)
{
    readonly List<(GgufTensor Tensor, PackedMatrix Matrix)> _matrices = [];

    /// <summary>A matrix whose panels are there after <see cref="Run"/>.</summary>
    public PackedMatrix Add(GgufTensor tensor)
    {
        var matrix = new PackedMatrix(tensor.Type, (int)tensor.Rows, (int)tensor.Columns);
        _matrices.Add((tensor, matrix));
        return matrix;
    }

    /// <returns>The memory of all matrices.</returns>
    /// <exception cref="ModelFormatException">The file became shorter while it was read.</exception>
    /// <exception cref="InsufficientMemoryException">The weights do not fit into memory.</exception>
    public WeightMemory Run(IProgress<LoadProgress>? progress)
    {
        var memory = new WeightMemory(_matrices.Sum(pair => pair.Matrix.Bytes));
        try
        {
            Fill(memory, progress);
            return memory;
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    void Fill(WeightMemory memory, IProgress<LoadProgress>? progress)
    {
        using var pool = new ComputePool(Environment.ProcessorCount);
        byte[][] buffers = new byte[pool.Threads][];
        long total = _matrices.Sum(pair => pair.Tensor.ByteLength), done = 0;
        byte* next = memory.Start;
        foreach ((GgufTensor tensor, PackedMatrix matrix) in _matrices)
        {
            matrix.Place(next);
            next += matrix.Bytes;
            Pack(tensor, matrix, pool, buffers);
            progress?.Report(new LoadProgress(done += tensor.ByteLength, total));
        }
    }

    void Pack(GgufTensor tensor, PackedMatrix matrix, ComputePool pool, byte[][] buffers)
    {
        for (int thread = 0; thread < buffers.Length; thread++)
            buffers[thread] = Grown(buffers[thread], tensor.RowBytes * matrix.Format.Outputs);
        var job = new PackPanels(file, tensor, matrix, buffers);
        try
        {
            pool.Run(ref job, matrix.Panels);
        }
        catch (InvalidOperationException e) when (e.InnerException is ModelFormatException cause) // what a compute thread threw
        {
            ExceptionDispatchInfo.Throw(cause);
        }
    }

    static byte[] Grown(byte[]? buffer, int bytes) => buffer?.Length >= bytes ? buffer : new byte[bytes];

    readonly struct PackPanels(GgufFile file, GgufTensor tensor, PackedMatrix matrix, byte[][] buffers) : IComputeJob
    {
        public void Run(int panel, int thread)
        {
            Span<byte> rows = buffers[thread].AsSpan(0, matrix.RowsOf(panel) * tensor.RowBytes);
            file.Read(tensor, (long)panel * matrix.Format.Outputs, rows);
            matrix.Pack(panel, rows);
        }
    }
}
