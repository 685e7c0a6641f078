using System.Collections.Immutable;

namespace Kvasir.Formats.Gguf;

/// <summary>Fills <paramref name="rows"/> with the stored bytes of whole rows, beginning at <paramref name="firstRow"/>.</summary>
public delegate void RowSource(long firstRow, Memory<byte> rows);

/// <summary>
/// Writes a GGUF file of version 3. Metadata and tensors are declared first, then
/// <see cref="Write(string, IProgress{long}, CancellationToken)"/> streams the rows, so a model need not fit in memory. The file appears
/// under its name only when it is complete: until then there is a temporary file beside it, and any failure removes that and leaves an
/// older file as it was.
/// </summary>
public sealed class GgufWriter
{
    const int ChunkBytes = 1 << 20;
    const string AlignmentKey = GgufHeader.AlignmentKey;

    readonly Dictionary<string, int> _index = new(StringComparer.Ordinal);
    readonly List<(string Key, object Value)> _metadata = [];
    readonly List<(StoredTensor Tensor, RowSource Rows)> _tensors = [];
    long _dataBytes;

    int Alignment => _index.TryGetValue(AlignmentKey, out int i) ? (int)(uint)_metadata[i].Value : GgufHeader.DefaultAlignment;

    /// <summary>
    /// Adds a key, or replaces its value in place. Values have the types that <see cref="GgufMetadata"/> gives: numbers, bools and
    /// strings, or an <see cref="ImmutableArray{T}"/> of them. The alignment must be set before the first tensor.
    /// </summary>
    public void Set(string key, object value)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        ArgumentNullException.ThrowIfNull(value);
        GgufValues.TypeName(value); // refuses other types here, where the mistake is, rather than while writing
        if (key == AlignmentKey) CheckAlignment(value);
        if (_index.TryGetValue(key, out int i)) _metadata[i] = (key, value);
        else
        {
            _index.Add(key, _metadata.Count);
            _metadata.Add((key, value));
        }
    }

    /// <summary>Declares the next tensor. Its rows are asked for in order, in chunks, when the file is written.</summary>
    /// <param name="name">A name no other tensor has.</param>
    /// <param name="type">How the values are stored.</param>
    /// <param name="shape">One to four dimensions, the fastest varying first.</param>
    /// <param name="rows">Supplies the stored bytes.</param>
    public void Add(string name, TensorType type, ImmutableArray<long> shape, RowSource rows)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(rows);
        if (shape.Length is 0 or > 4 || shape.Any(size => size < 1))
            throw new ArgumentException("one to four dimensions from 1", nameof(shape));
        if (_tensors.Any(other => other.Tensor.Name == name)) throw new ArgumentException($"two tensors named {name}", nameof(name));
        long bytes = shape.Skip(1).Aggregate(type.RowBytes(shape[0]), (product, size) => checked(product * size));
        _tensors.Add((new StoredTensor(name, type, shape, _dataBytes, bytes), rows));
        _dataBytes = checked(_dataBytes + bytes + Padding(_dataBytes + bytes));
    }

    /// <summary>Writes the file.</summary>
    /// <exception cref="IOException">The file cannot be written, for example because the disk is full; the message names it.</exception>
    public void Write(string path, IProgress<long>? bytesWritten = null, CancellationToken cancellation = default) =>
        Write(path, stream => stream, bytesWritten, cancellation);

    /// <summary>The same with <paramref name="wrap"/> around the file, so that tests can let it fail.</summary>
    internal void Write(
        string path, Func<Stream, Stream> wrap, IProgress<long>? bytesWritten = null, CancellationToken cancellation = default)
    {
        byte[] header = GgufHeaderBytes.Build(_metadata, _tensors.ConvertAll(entry => entry.Tensor));
        byte[] padding = new byte[Padding(header.Length)];
        ReplacedFile.Write(path, header.Length + padding.Length + _dataBytes, file =>
        {
            Stream stream = wrap(file);
            stream.Write(header);
            stream.Write(padding);
            foreach (var (tensor, rows) in _tensors)
                WriteTensor(stream, tensor, rows, bytesWritten, cancellation);
            stream.Flush();
        });
    }

    void CheckAlignment(object value)
    {
        if (_tensors.Count > 0) throw new InvalidOperationException("the alignment comes before the tensors");
        if (value is not uint alignment || !uint.IsPow2(alignment) || alignment is < GgufHeader.MinAlignment or > GgufHeader.MaxAlignment)
            throw new ArgumentException($"{value} is no uint and power of two from {GgufHeader.MinAlignment} to {GgufHeader.MaxAlignment}");
    }

    void WriteTensor(Stream stream, StoredTensor tensor, RowSource rows, IProgress<long>? bytesWritten, CancellationToken cancellation)
    {
        long chunkRows = Math.Clamp(ChunkBytes / tensor.RowBytes, 1, tensor.Rows);
        byte[] chunk = new byte[chunkRows * tensor.RowBytes];
        for (long row = 0; row < tensor.Rows; row += chunkRows)
        {
            cancellation.ThrowIfCancellationRequested();
            Memory<byte> bytes = chunk.AsMemory(0, (int)(Math.Min(chunkRows, tensor.Rows - row) * tensor.RowBytes));
            rows(row, bytes);
            stream.Write(bytes.Span);
            bytesWritten?.Report(bytes.Length);
        }
        stream.Write(new byte[Padding(tensor.ByteLength)]);
    }

    int Padding(long bytes) => (int)(-bytes & (Alignment - 1));
}
