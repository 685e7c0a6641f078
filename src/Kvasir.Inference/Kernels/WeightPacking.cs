using System.Runtime.ExceptionServices;
using Kvasir.Formats;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>Told of consecutive rows of a whole tensor when they have been read, on any thread.</summary>
delegate void RowsRead(StoredTensor tensor, long firstRow, ReadOnlySpan<byte> rows);

/// <summary>Receives consecutive rows of a matrix as they are stored.</summary>
delegate void RowsTaken(PackedMatrix matrix, int firstRow, ReadOnlySpan<byte> rows);

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

    /// <summary>A matrix whose panels are there once it is placed.</summary>
    /// <param name="tensor">Its rows.</param>
    /// <param name="experts">How many matrices it is a stack of.</param>
    public PackedMatrix Add(StoredTensor tensor, int experts = 1)
    {
        var matrix = new PackedMatrix(tensor.Type, checked((int)tensor.Rows), (int)tensor.Columns, experts);
        _matrices.Add((tensor, matrix));
        return matrix;
    }

    /// <summary>Bytes of all panels.</summary>
    public long Bytes => _matrices.Sum(pair => pair.Matrix.Bytes);

    long StoredBytes => _matrices.Sum(pair => pair.Tensor.ByteLength);

    /// <summary>Packs all of them into memory.</summary>
    /// <param name="packed">Told now and then how many stored bytes are packed by then, and how many there are in all.</param>
    /// <returns>The memory of all matrices.</returns>
    /// <exception cref="ModelFormatException">The source became shorter while it was read.</exception>
    /// <exception cref="InsufficientMemoryException">The weights do not fit into memory.</exception>
    public WeightMemory Run(Action<long, long>? packed)
    {
        var memory = new WeightMemory(Bytes);
        try
        {
            Place(memory);
            Fill(packed, null);
            return memory;
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>Packs all of them into a file, whose memory becomes theirs.</summary>
    /// <param name="file">The file.</param>
    /// <param name="packed">Told now and then how many stored bytes are packed by then, and how many there are in all.</param>
    /// <exception cref="ModelFormatException">The source became shorter while it was read.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public WeightMemory Run(PanelFileWriter file, Action<long, long>? packed)
    {
        Fill(packed, file);
        WeightMemory memory = file.Map();
        Place(memory);
        return memory;
    }

    /// <summary>Gives the matrices panels that were packed before, if they still are what they were.</summary>
    /// <param name="memory">The panels, which belong to the caller.</param>
    /// <param name="sum">Their sum, as it was when they were packed.</param>
    /// <param name="read">Told now and then how many stored bytes are checked by then, and how many there are in all.</param>
    public bool TryPlace(WeightMemory memory, ulong sum, Action<long, long>? read)
    {
        Place(memory);
        if (PanelSum.Of([.. _matrices.Select(pair => pair.Matrix)], read is null ? null : done => read(done, Bytes)) != sum)
            return false;
        read?.Invoke(StoredBytes, StoredBytes);
        return true;
    }

    /// <summary>Their tensors and themselves.</summary>
    public IReadOnlyList<(StoredTensor Tensor, PackedMatrix Matrix)> Matrices => _matrices;

    /// <summary>Hands the rows of all to somebody who keeps them elsewhere: once, in the order in which they lie, on this thread.</summary>
    /// <param name="take">Receives consecutive rows of a matrix as they are stored, and which is the first of them.</param>
    /// <param name="taken">Told now and then how many stored bytes were handed over by then, and how many there are in all.</param>
    /// <exception cref="ModelFormatException">The source became shorter while it was read.</exception>
    public void HandOver(RowsTaken take, Action<long, long>? taken)
    {
        byte[] buffer = [];
        long done = 0, total = StoredBytes;
        foreach (Piece piece in Pieces())
        {
            int bytes = piece.Bytes(piece.First, piece.End).End.Value;
            if (buffer.Length < bytes)
                buffer = GC.AllocateUninitializedArray<byte>(bytes);
            Span<byte> rows = buffer.AsSpan(0, bytes);
            source.Read(piece.Tensor, piece.First, rows);
            if (IsWhole(piece.Tensor))
                read?.Invoke(piece.Tensor, piece.First, rows);
            take(piece.Matrix, (int)piece.First, rows);
            taken?.Invoke(done += bytes, total);
        }
    }

    /// <summary>Whether it is a tensor of the source, and not some rows of one, whose pieces begin elsewhere.</summary>
    bool IsWhole(StoredTensor tensor) => source.TryGetTensor(tensor.Name, out StoredTensor? whole) && ReferenceEquals(whole, tensor);

    void Place(WeightMemory memory)
    {
        byte* next = memory.Start;
        foreach ((_, PackedMatrix matrix) in _matrices)
        {
            matrix.Place(next);
            next += matrix.Bytes;
        }
    }

    void Fill(Action<long, long>? packed, PanelFileWriter? file)
    {
        using var pool = new ComputePool(2 * Environment.ProcessorCount);
        Destination destination = new(file, Offsets(), new byte[pool.Threads][]);
        byte[][] buffers = new byte[pool.Threads][];
        long total = StoredBytes, done = 0, waiting = 0;
        List<Piece> pieces = [];
        foreach (Piece piece in Pieces())
        {
            pieces.Add(piece);
            waiting += (piece.End - piece.First) * piece.Tensor.RowBytes;
            if (waiting >= ReportedBytes || done + waiting == total)
            {
                Pack([.. pieces], pool, buffers, destination);
                packed?.Invoke(done += waiting, total);
                pieces.Clear();
                waiting = 0;
            }
        }
    }

    /// <summary>Where each matrix begins among the panels of all.</summary>
    Dictionary<PackedMatrix, long> Offsets()
    {
        Dictionary<PackedMatrix, long> offsets = [];
        long next = 0;
        foreach ((_, PackedMatrix matrix) in _matrices)
        {
            offsets.Add(matrix, next);
            next += matrix.Bytes;
        }
        return offsets;
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

    void Pack(Piece[] pieces, ComputePool pool, byte[][] buffers, Destination destination)
    {
        int most = pieces.Max(piece => piece.Bytes(piece.First, piece.ReadEnd).End.Value);
        for (int thread = 0; thread < buffers.Length; thread++)
            if (buffers[thread] is null || buffers[thread].Length < most)
                buffers[thread] = new byte[most];
        var job = new PackPieces(source, pieces, buffers, destination, read);
        try
        {
            pool.Run(ref job, pieces.Length);
        }
        catch (InvalidOperationException e) when (e.InnerException is ModelFormatException or IOException) // of a compute thread
        {
            ExceptionDispatchInfo.Throw(e.InnerException);
        }
    }

    /// <summary>Rows of a matrix, which make the panels that begin in them.</summary>
    readonly record struct Piece(StoredTensor Tensor, PackedMatrix Matrix, long First, long End)
    {
        public int FirstPanel => Matrix.PanelFrom(First);

        public int EndPanel => Matrix.PanelFrom(End);

        /// <summary>Where the last of its panels ends, which may be among the rows of the next.</summary>
        public long ReadEnd => EndPanel == 0 ? End : Math.Max(End, Matrix.FirstRowOf(EndPanel - 1) + Matrix.RowsOf(EndPanel - 1));

        public Range Bytes(long fromRow, long toRow) =>
            checked((int)((fromRow - First) * Tensor.RowBytes))..checked((int)((toRow - First) * Tensor.RowBytes));
    }

    readonly struct PackPieces(ITensorSource source, Piece[] pieces, byte[][] buffers, Destination destination, RowsRead? read)
        : IComputeJob
    {
        public void Run(int item, int thread)
        {
            Piece piece = pieces[item];
            int bytes = piece.Bytes(piece.First, piece.ReadEnd).End.Value;
            Span<byte> rows = buffers[thread].AsSpan(0, bytes);
            source.Read(piece.Tensor, piece.First, rows);
            RefuseWithoutScale(piece, rows);
            if (read is not null && source.TryGetTensor(piece.Tensor.Name, out StoredTensor? whole) && ReferenceEquals(whole, piece.Tensor))
                read(piece.Tensor, piece.First, rows[piece.Bytes(piece.First, piece.End)]);
            if (destination.IsKept)
                source.Forget(piece.Tensor, piece.First, piece.End - piece.First);
            for (int panel = piece.FirstPanel; panel < piece.EndPanel; panel++)
            {
                long first = piece.Matrix.FirstRowOf(panel);
                destination.Pack(piece.Matrix, panel, rows[piece.Bytes(first, first + piece.Matrix.RowsOf(panel))], thread);
            }
        }

        /// <summary>Weights that are no numbers, as one type can say in every block: nothing computed with them would be one.</summary>
        void RefuseWithoutScale(Piece piece, ReadOnlySpan<byte> rows)
        {
            if (piece.Tensor.Type != TensorType.MXFP4 || MXFP4.FirstWithoutScale(rows) is not (>= 0 and var block))
                return;
            int blocks = piece.Tensor.RowBytes / MXFP4.Bytes;
            throw ModelFormatException.At(source.Path, $"tensor {Printable.Quote(piece.Tensor.Name)}",
                $"a scale of {MXFP4.NoScale}, which is no number, in row {piece.First + block / blocks}, block {block % blocks}",
                $"0 to {MXFP4.NoScale - 1}");
        }
    }

    /// <summary>Where panels go: to the memory of their matrix, or to a file, by way of a buffer of each thread's.</summary>
    sealed class Destination(PanelFileWriter? file, Dictionary<PackedMatrix, long> offsets, byte[]?[] buffers)
    {
        /// <summary>Whether panels are there the next time, and what they were packed of is not read again.</summary>
        public bool IsKept => file is not null;

        public void Pack(PackedMatrix matrix, int panel, ReadOnlySpan<byte> rows, int thread)
        {
            if (file is null)
            {
                matrix.Pack(rows, matrix.Panel(panel));
                return;
            }
            int bytes = checked((int)matrix.PanelBytes);
            if (buffers[thread] is not { } buffer || buffer.Length < bytes)
                buffers[thread] = buffer = GC.AllocateUninitializedArray<byte>(bytes);
            Span<byte> packed = buffer.AsSpan(0, bytes);
            packed.Clear();
            fixed (byte* memory = packed)
                matrix.Pack(rows, memory);
            file.Write(packed, offsets[matrix] + panel * matrix.PanelBytes);
        }
    }
}
