using System.Runtime.ExceptionServices;
using Kvasir.Formats;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>Told of consecutive rows of a whole tensor when they have been read, on any thread.</summary>
delegate void RowsRead(StoredTensor tensor, long firstRow, ReadOnlySpan<byte> rows);

/// <summary>
/// Brings matrices from where they are stored into panels. Rows are read once, a piece at a time and in the order in which they lie, by
/// twice as many threads as there are processors: while some wait for the disk, others pack. They are read, not mapped: what is stored and
/// what the panels hold is never in memory at once.
/// </summary>
/// <param name="source">Where they are stored.</param>
/// <param name="pieceBytes">About so many are read at once; a piece begins at every so-manieth row.</param>
/// <param name="read">Told of every piece; null for nobody.</param>
sealed unsafe class WeightPacking(ITensorSource source, int pieceBytes, RowsRead? read = null)
{
    const long ReportedBytes = 64 << 20;

    readonly List<(StoredTensor Tensor, PackedMatrix Matrix)> _matrices = [];

    /// <summary>Rows of a piece.</summary>
    public static long RowsOfPiece(StoredTensor tensor, int pieceBytes) => Math.Max(1, pieceBytes / tensor.RowBytes);

    /// <summary>A matrix whose panels are there after <see cref="Run"/>.</summary>
    public PackedMatrix Add(StoredTensor tensor)
    {
        var matrix = new PackedMatrix(tensor.Type, (int)tensor.Rows, (int)tensor.Columns);
        _matrices.Add((tensor, matrix));
        return matrix;
    }

    /// <summary>Packs all of them.</summary>
    /// <param name="packed">Told now and then how many stored bytes are packed by then, and how many there are in all.</param>
    /// <returns>The memory of all matrices.</returns>
    /// <exception cref="ModelFormatException">The source became shorter while it was read.</exception>
    /// <exception cref="InsufficientMemoryException">The weights do not fit into memory.</exception>
    public WeightMemory Run(Action<long, long>? packed)
    {
        var memory = new WeightMemory(_matrices.Sum(pair => pair.Matrix.Bytes));
        try
        {
            byte* next = memory.Start;
            foreach ((_, PackedMatrix matrix) in _matrices)
            {
                matrix.Place(next);
                next += matrix.Bytes;
            }
            Fill(packed);
            return memory;
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    void Fill(Action<long, long>? packed)
    {
        using var pool = new ComputePool(2 * Environment.ProcessorCount);
        byte[][] buffers = new byte[pool.Threads][];
        long total = _matrices.Sum(pair => pair.Tensor.ByteLength), done = 0, waiting = 0;
        List<Piece> pieces = [];
        foreach (Piece piece in Pieces())
        {
            pieces.Add(piece);
            waiting += (piece.End - piece.First) * piece.Tensor.RowBytes;
            if (waiting >= ReportedBytes || done + waiting == total)
            {
                Pack([.. pieces], pool, buffers);
                packed?.Invoke(done += waiting, total);
                pieces.Clear();
                waiting = 0;
            }
        }
    }

    /// <summary>All pieces in the order in which they lie.</summary>
    IEnumerable<Piece> Pieces()
    {
        Dictionary<string, int> order = source.Tensors.Index().ToDictionary(pair => pair.Item.Name, pair => pair.Index);
        foreach ((StoredTensor tensor, PackedMatrix matrix) in _matrices.OrderBy(pair => order[pair.Tensor.Name])
            .ThenBy(pair => pair.Tensor.Offset))
            for (long first = 0, rows = RowsOfPiece(tensor, pieceBytes); first < tensor.Rows; first += rows)
                yield return new Piece(tensor, matrix, first, Math.Min(first + rows, tensor.Rows));
    }

    void Pack(Piece[] pieces, ComputePool pool, byte[][] buffers)
    {
        int most = pieces.Max(piece => piece.Bytes(piece.First, piece.ReadEnd).End.Value);
        for (int thread = 0; thread < buffers.Length; thread++)
            if (buffers[thread] is null || buffers[thread].Length < most)
                buffers[thread] = new byte[most];
        var job = new PackPieces(source, pieces, buffers, read);
        try
        {
            pool.Run(ref job, pieces.Length);
        }
        catch (InvalidOperationException e) when (e.InnerException is ModelFormatException cause) // what a compute thread threw
        {
            ExceptionDispatchInfo.Throw(cause);
        }
    }

    /// <summary>Rows of a matrix, which make the panels that begin in them.</summary>
    readonly record struct Piece(StoredTensor Tensor, PackedMatrix Matrix, long First, long End)
    {
        int Outputs => Matrix.Format.Outputs;

        public int FirstPanel => (int)((First + Outputs - 1) / Outputs);

        public int EndPanel => (int)((End + Outputs - 1) / Outputs);

        /// <summary>Where the last of its panels ends, which may be among the rows of the next.</summary>
        public long ReadEnd => Math.Max(End, Math.Min((long)EndPanel * Outputs, Tensor.Rows));

        public Range Bytes(long fromRow, long toRow) =>
            checked((int)((fromRow - First) * Tensor.RowBytes))..checked((int)((toRow - First) * Tensor.RowBytes));
    }

    readonly struct PackPieces(ITensorSource source, Piece[] pieces, byte[][] buffers, RowsRead? read) : IComputeJob
    {
        public void Run(int item, int thread)
        {
            Piece piece = pieces[item];
            int bytes = piece.Bytes(piece.First, piece.ReadEnd).End.Value;
            Span<byte> rows = buffers[thread].AsSpan(0, bytes);
            source.Read(piece.Tensor, piece.First, rows);
            if (read is not null && source.TryGetTensor(piece.Tensor.Name, out StoredTensor? whole) && ReferenceEquals(whole, piece.Tensor))
                read(piece.Tensor, piece.First, rows[piece.Bytes(piece.First, piece.End)]);
            int outputs = piece.Matrix.Format.Outputs;
            for (int panel = piece.FirstPanel; panel < piece.EndPanel; panel++)
            {
                long first = (long)panel * outputs;
                piece.Matrix.Pack(panel, rows[piece.Bytes(first, first + piece.Matrix.RowsOf(panel))]);
            }
        }
    }
}
