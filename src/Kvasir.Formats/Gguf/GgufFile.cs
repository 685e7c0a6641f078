using System.Diagnostics.CodeAnalysis;

namespace Kvasir.Formats.Gguf;

/// <summary>
/// A GGUF model, versions 2 and 3, mapped read-only into memory; tensors can be read in place, or into memory of the caller's. The file is
/// not trusted: opening it checks every extent, so that afterwards any tensor may be read without further checks. The file must not be
/// truncated by others while it is open (the operating system ends a process that reads a vanished part of a mapping).
/// </summary>
public sealed unsafe class GgufFile : IModelFile
{
    readonly MappedFile _file;
    readonly GgufHeader _header;
    readonly Dictionary<string, StoredTensor> _byName;

    GgufFile(MappedFile file)
    {
        _file = file;
        _header = new GgufHeader(file.Path, file.Start, file.Length);
        _byName = _header.Tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
    }

    /// <summary>The path as given to <see cref="Open"/>.</summary>
    public string Path => _file.Path;

    /// <summary>Bytes of the file.</summary>
    public long Length => _file.Length;

    /// <summary>The version of the format: 2 or 3.</summary>
    public uint Version => _header.Version;

    /// <summary>The keys and values in front of the tensors.</summary>
    public GgufMetadata Metadata => _header.Metadata;

    /// <summary>All tensors in the order of the file.</summary>
    public IReadOnlyList<StoredTensor> Tensors => _header.Tensors;

    /// <summary>Maps a file.</summary>
    /// <exception cref="ModelFormatException">The file is missing, unreadable or not a well-formed GGUF file.</exception>
    public static GgufFile Open(string path)
    {
        MappedFile file = MappedFile.Open(path, "a GGUF file");
        try
        {
            return new GgufFile(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Finds a tensor by name.</summary>
    public bool TryGetTensor(string name, [NotNullWhen(true)] out StoredTensor? tensor) =>
        _byName.TryGetValue(name, out tensor);

    /// <summary>The tensor of this name.</summary>
    /// <exception cref="ModelFormatException">The file has no such tensor.</exception>
    public StoredTensor GetTensor(string name) => TryGetTensor(name, out StoredTensor? tensor)
        ? tensor
        : throw ModelFormatException.At(
            Path, $"tensor {Printable.Quote(name)}", $"missing among {Tensors.Count} tensors", "one of this name");

    /// <summary>The address of a tensor's first byte, valid until <see cref="Dispose"/>.</summary>
    public byte* Pointer(StoredTensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.Offset < 0 || tensor.ByteLength < 0 || tensor.Offset > Length - tensor.ByteLength)
            throw new ArgumentException($"tensor {Printable.Quote(tensor.Name)} is of another file", nameof(tensor));
        return _file.Start + tensor.Offset;
    }

    /// <summary>The bytes of one row, valid until <see cref="Dispose"/>.</summary>
    public ReadOnlySpan<byte> Row(StoredTensor tensor, long row)
    {
        byte* first = Pointer(tensor);
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, tensor.Rows);
        return new ReadOnlySpan<byte>(first + row * tensor.RowBytes, tensor.RowBytes);
    }

    /// <summary>Reads consecutive rows into memory. Safe to call from several threads.</summary>
    /// <param name="tensor">A tensor of this file.</param>
    /// <param name="firstRow">The first row.</param>
    /// <param name="rows">Receives whole rows, as many as fit.</param>
    /// <exception cref="ModelFormatException">The file ends before the last row: somebody has truncated it.</exception>
    public void Read(StoredTensor tensor, long firstRow, Span<byte> rows)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstRow * tensor.RowBytes + rows.Length, tensor.ByteLength, nameof(rows));
        _file.Read(
            tensor.Offset + firstRow * tensor.RowBytes, rows, $"tensor {Printable.Quote(tensor.Name)}", tensor.Offset + tensor.ByteLength);
    }

    /// <inheritdoc/>
    public void Forget(StoredTensor tensor, long firstRow, long rows)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        _file.Forget(tensor.Offset + firstRow * tensor.RowBytes, rows * tensor.RowBytes);
    }

    /// <summary>Unmaps the file; pointers and spans into it are invalid from here on.</summary>
    public void Dispose() => _file.Dispose();
}
