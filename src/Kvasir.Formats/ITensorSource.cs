using System.Diagnostics.CodeAnalysis;

namespace Kvasir.Formats;

/// <summary>Where a model's tensors come from. They have ggml's names, whatever the source calls them.</summary>
public interface ITensorSource
{
    /// <summary>The source in messages: the path of a file.</summary>
    string Path { get; }

    /// <summary>All of them.</summary>
    IReadOnlyList<StoredTensor> Tensors { get; }

    /// <summary>Finds a tensor by name.</summary>
    bool TryGetTensor(string name, [NotNullWhen(true)] out StoredTensor? tensor);

    /// <summary>The bytes of one row, valid until the next call or until the source is disposed.</summary>
    ReadOnlySpan<byte> Row(StoredTensor tensor, long row);

    /// <summary>Reads consecutive rows into memory, as many whole ones as fit. Safe to call from several threads.</summary>
    /// <exception cref="ModelFormatException">The source ends before the last row.</exception>
    void Read(StoredTensor tensor, long firstRow, Span<byte> rows);

    /// <summary>
    /// Reads one row into memory of its own: for rows that are wanted once, since touching a mapping can make megabytes resident.
    /// </summary>
    /// <exception cref="ModelFormatException">The source ends before the row does.</exception>
    byte[] ReadRow(StoredTensor tensor, long row)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        byte[] bytes = new byte[tensor.RowBytes];
        Read(tensor, row, bytes);
        return bytes;
    }

    /// <summary>
    /// Says that rows which were read are not read again soon, so that the system may use the memory that it keeps them in. Without it all
    /// works, too.
    /// </summary>
    void Forget(StoredTensor tensor, long firstRow, long rows) { }
}
