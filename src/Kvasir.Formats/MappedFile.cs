using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Kvasir.Formats;

/// <summary>
/// A file mapped read-only into memory, which can be read past the mapping as well: a read of what somebody has cut off is an error there,
/// and the end of the process here.
/// </summary>
sealed unsafe partial class MappedFile : IDisposable
{
    const int AdviceWillNeed = 3, AdviceNotNeeded = 4;
    const long BytesAhead = 16 << 20; // at a time

    readonly FileStream _stream;
    readonly MemoryMappedFile _mapping;
    readonly MemoryMappedViewAccessor _view;
    byte* _start;

    MappedFile(string path, FileStream stream)
    {
        (Path, Length, _stream) = (path, stream.Length, stream);
        _mapping = MemoryMappedFile.CreateFromFile(
            stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        _view = _mapping.CreateViewAccessor(0, Length, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
    }

    public string Path { get; }

    public long Length { get; }

    /// <summary>The address of the first byte, valid until <see cref="Dispose"/>.</summary>
    public byte* Start
    {
        get
        {
            ObjectDisposedException.ThrowIf(_start is null, this);
            return _start;
        }
    }

    /// <summary>Maps a file.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="expected">What it should be, for messages: "a GGUF file".</param>
    /// <exception cref="ModelFormatException">The file is missing, empty or unreadable.</exception>
    public static MappedFile Open(string path, string expected)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            RefuseWhatCannotBeMapped(path, expected);
            // Sharing Delete lets a new version be renamed over the file while this one is still being read.
            var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
            try
            {
                return new MappedFile(path, stream);
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

    /// <summary>Reads bytes of the file. Safe to call from several threads.</summary>
    /// <param name="offset">Where they begin.</param>
    /// <param name="bytes">Receives them.</param>
    /// <param name="what">What they are, for messages.</param>
    /// <param name="end">Where that ends, for messages.</param>
    /// <exception cref="ModelFormatException">The file ends before: somebody has truncated it.</exception>
    public void Read(long offset, Span<byte> bytes, string what, long end)
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

    /// <summary>
    /// Has the system read a file into its memory on a thread of its own, where it takes such advice: page by page, as it is touched, disks
    /// are slow, and so is taking memory. Nothing happens where there is no such file.
    /// </summary>
    public static void ReadAhead(string path)
    {
        if (OperatingSystem.IsLinux() && File.Exists(path))
            new Thread(() => Advise(path)) { IsBackground = true, Name = "kvasir read ahead" }.Start();
    }

    static void Advise(string path)
    {
        try
        {
            using SafeFileHandle file = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
            for (long offset = 0, length = RandomAccess.GetLength(file); offset < length; offset += BytesAhead)
                _ = Advise(file, offset, BytesAhead, AdviceWillNeed);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) // whoever opens it for its content says what is wrong
        {
        }
    }

    /// <summary>
    /// Says that bytes which were read are not read again soon: the system may use the memory that it keeps them in, but for what is mapped
    /// and was touched.
    /// </summary>
    public void Forget(long offset, long bytes)
    {
        if (OperatingSystem.IsLinux())
            _ = Advise(_stream.SafeFileHandle, offset, bytes, AdviceNotNeeded);
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

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int Advise(SafeFileHandle file, long offset, long bytes, int advice);

    // Asked before opening: opening a named pipe would wait for its writer, and an empty file cannot be mapped.
    static void RefuseWhatCannotBeMapped(string path, string expected)
    {
        if (Directory.Exists(path)) throw ModelFormatException.At(path, "file", "a directory", expected);
        FileInfo file = new(path);
        if (file.LinkTarget is not null && file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target) file = target;
        if (!file.Exists) throw ModelFormatException.At(path, "file", "it does not exist", expected);
        if (file.Length == 0) throw ModelFormatException.At(path, "file", "it is empty or not a regular file", expected);
    }
}
