namespace Kvasir.Formats.Safetensors;

/// <summary>One safetensors file, mapped into memory. It is not trusted: after opening, any of its tensors may be read.</summary>
sealed unsafe class SafetensorsFile : IDisposable
{
    readonly MappedFile _file;

    SafetensorsFile(MappedFile file) => (_file, Tensors) = (file, new SafetensorsHeader(file.Path, file.Start, file.Length).Tensors);

    public string Path => _file.Path;

    public long Length => _file.Length;

    public IReadOnlyList<StoredTensor> Tensors { get; }

    /// <exception cref="ModelFormatException">The file is missing, unreadable or not a well-formed safetensors file.</exception>
    public static SafetensorsFile Open(string path)
    {
        MappedFile file = MappedFile.Open(path, "a safetensors file");
        try
        {
            return new SafetensorsFile(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The bytes of one row, valid until <see cref="Dispose"/>.</summary>
    public ReadOnlySpan<byte> Row(StoredTensor tensor, long row)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, tensor.Rows);
        return new ReadOnlySpan<byte>(_file.Start + tensor.Offset + row * tensor.RowBytes, tensor.RowBytes);
    }

    /// <summary>Reads consecutive rows into memory, as many whole ones as fit. Safe to call from several threads.</summary>
    /// <exception cref="ModelFormatException">The file ends before the last row: somebody has truncated it.</exception>
    public void Read(StoredTensor tensor, long firstRow, Span<byte> rows)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstRow * tensor.RowBytes + rows.Length, tensor.ByteLength, nameof(rows));
        _file.Read(tensor.Offset + firstRow * tensor.RowBytes, rows, $"tensor {Printable.Quote(tensor.Name)}",
            tensor.Offset + tensor.ByteLength);
    }

    /// <summary>Says that rows which were read are not read again soon.</summary>
    public void Forget(StoredTensor tensor, long firstRow, long rows) =>
        _file.Forget(tensor.Offset + firstRow * tensor.RowBytes, rows * tensor.RowBytes);

    public void Dispose() => _file.Dispose();
}
