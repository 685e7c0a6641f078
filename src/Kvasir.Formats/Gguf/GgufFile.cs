using System.Diagnostics.CodeAnalysis;
using System.IO.MemoryMappedFiles;

namespace Kvasir.Formats.Gguf;

/// <summary>
/// A GGUF model, versions 2 and 3, mapped read-only into memory; tensors can be read in place, or into memory of the caller's. The file is
/// not trusted: opening it checks every extent, so that afterwards any tensor may be read without further checks. The file must not be
/// truncated by others while it is open (the operating system ends a process that reads a vanished part of a mapping).
/// </summary>
public sealed unsafe class GgufFile : ITensorSource, IDisposable
{
    readonly FileStream _stream;
    readonly MemoryMappedFile _mapping;
    readonly MemoryMappedViewAccessor _view;
    readonly GgufHeader _header;
    readonly Dictionary<string, StoredTensor> _byName;
    byte* _start;

    GgufFile(string path, FileStream stream)
    {
        (Path, Length, _stream) = (path, stream.Length, stream);
        _mapping = MemoryMappedFile.CreateFromFile(
            stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        _view = _mapping.CreateViewAccessor(0, Length, MemoryMappedFileAccess.Read);
        try
        {
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
            _header = new GgufHeader(path, _start, Length);
            _byName = _header.Tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The path as given to <see cref="Open"/>.</summary>
    public string Path { get; }

    /// <summary>Bytes of the file.</summary>
    public long Length { get; }

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
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            RefuseWhatCannotBeMapped(path);
            // Sharing Delete lets a new version be renamed over the file while this one is still being read.
            var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
            try
            {
                return new GgufFile(path, stream);
            }
            catch
            {
                stream.Dispose();
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new ModelFormatException($"{Printable.Line(path, 4096)}: cannot be opened: {Printable.Line(e.Message, 512)}", e);
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
        ObjectDisposedException.ThrowIf(_start is null, this);
        if (tensor.Offset < 0 || tensor.ByteLength < 0 || tensor.Offset > Length - tensor.ByteLength)
            throw new ArgumentException($"tensor {Printable.Quote(tensor.Name)} is of another file", nameof(tensor));
        return _start + tensor.Offset;
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
        Read(tensor.Offset + firstRow * tensor.RowBytes, rows, $"tensor {Printable.Quote(tensor.Name)}", tensor.Offset + tensor.ByteLength);
    }

    /// <summary>Reads bytes of the file, whatever they are. Safe to call from several threads.</summary>
    /// <exception cref="ModelFormatException">The file ends before: somebody has truncated it.</exception>
    internal void Read(long offset, Span<byte> bytes) => Read(offset, bytes, "file", Length);

    void Read(long offset, Span<byte> bytes, string what, long end)
    {
        while (!bytes.IsEmpty)
        {
            int read = RandomAccess.Read(_stream.SafeFileHandle, bytes, offset);
            if (read == 0)
                throw ModelFormatException.At(Path, what, $"the file ends at byte {offset}", $"data up to byte {end}");
            bytes = bytes[read..];
            offset += read;
        }
    }

    /// <summary>Unmaps the file; pointers and spans into it are invalid from here on.</summary>
    public void Dispose()
    {
        if (_start is not null)
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _start = null;
        }
        _view.Dispose();
        _mapping.Dispose();
        _stream.Dispose();
    }

    // Asked before opening: opening a named pipe would wait for its writer, and an empty file cannot be mapped.
    static void RefuseWhatCannotBeMapped(string path)
    {
        if (Directory.Exists(path)) throw ModelFormatException.At(path, "file", "a directory", "a GGUF file");
        FileInfo file = new(path);
        if (file.LinkTarget is not null && file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target) file = target;
        if (!file.Exists) throw ModelFormatException.At(path, "file", "it does not exist", "a GGUF file");
        if (file.Length == 0) throw ModelFormatException.At(path, "file", "it is empty or not a regular file", "a GGUF file");
    }
}
