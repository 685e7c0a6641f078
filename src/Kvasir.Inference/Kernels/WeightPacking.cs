using System.Runtime.ExceptionServices;
using Kvasir.Formats;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Brings matrices from where they are stored into panels, on all processors. Rows are read, not mapped: what is stored and what the panels
/// hold is never in memory at once.
/// </summary>
sealed unsafe class WeightPacking(ITensorSource source)
{
    readonly List<(StoredTensor Tensor, PackedMatrix Matrix)> _matrices = [];

    /// <summary>A matrix whose panels are there after <see cref="Run"/>.</summary>
    public PackedMatrix Add(StoredTensor tensor)
    {
        var matrix = new PackedMatrix(tensor.Type, (int)tensor.Rows, (int)tensor.Columns);
        _matrices.Add((tensor, matrix));
        return matrix;
    }

    /// <summary>Packs all of them.</summary>
    /// <param name="packed">Told after every matrix how many stored bytes are packed by then, and how many there are in all.</param>
    /// <returns>The memory of all matrices.</returns>
    /// <exception cref="ModelFormatException">The source became shorter while it was read.</exception>
    /// <exception cref="InsufficientMemoryException">The weights do not fit into memory.</exception>
    public WeightMemory Run(Action<long, long>? packed)
    {
        var memory = new WeightMemory(_matrices.Sum(pair => pair.Matrix.Bytes));
        try
        {
            Fill(memory, packed);
            return memory;
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    void Fill(WeightMemory memory, Action<long, long>? packed)
    {
        using var pool = new ComputePool(Environment.ProcessorCount);
        byte[][] buffers = new byte[pool.Threads][];
        long total = _matrices.Sum(pair => pair.Tensor.ByteLength), done = 0;
        byte* next = memory.Start;
        foreach ((StoredTensor tensor, PackedMatrix matrix) in _matrices)
        {
            matrix.Place(next);
            next += matrix.Bytes;
            Pack(tensor, matrix, pool, buffers);
            packed?.Invoke(done += tensor.ByteLength, total);
        }
    }

    void Pack(StoredTensor tensor, PackedMatrix matrix, ComputePool pool, byte[][] buffers)
    {
        for (int thread = 0; thread < buffers.Length; thread++)
            buffers[thread] = Grown(buffers[thread], tensor.RowBytes * matrix.Format.Outputs);
        var job = new PackPanels(source, tensor, matrix, buffers);
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

    readonly struct PackPanels(ITensorSource source, StoredTensor tensor, PackedMatrix matrix, byte[][] buffers) : IComputeJob
    {
        public void Run(int panel, int thread)
        {
            Span<byte> rows = buffers[thread].AsSpan(0, matrix.RowsOf(panel) * tensor.RowBytes);
            source.Read(tensor, (long)panel * matrix.Format.Outputs, rows);
            matrix.Pack(panel, rows);
        }
    }
}
