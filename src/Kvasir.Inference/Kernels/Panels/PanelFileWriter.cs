using Kvasir.Formats;
using Kvasir.KvCache.Prefixes;
using Microsoft.Win32.SafeHandles;

namespace Kvasir.Inference.Kernels.Panels;

/// <summary>
/// A <see cref="PanelFile"/> while panels are packed into it, under a name of its own until all are there. Nothing is flushed: the system
/// writes in the background, and what a crash has kept from the disk the sum tells.
/// </summary>
sealed class PanelFileWriter : IDisposable
{
    readonly string _path, _temporary;
    readonly SafeFileHandle _file;
    readonly long _bytes;
    ulong _sum;
    bool _isKept;

    /// <param name="path">Where it will be.</param>
    /// <param name="bytes">Bytes of all panels, for which there must be room on the disk.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">It must not be written.</exception>
    public PanelFileWriter(string path, long bytes)
    {
        (_path, _temporary, _bytes) = (path, $"{path}.{Guid.NewGuid():n}{KeptFiles.Unfinished}", bytes);
        _file = File.OpenHandle(_temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete,
            preallocationSize: PanelFile.HeaderBytes + bytes);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(_file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    /// <summary>Writes a panel. Safe to call from several threads.</summary>
    public void Write(ReadOnlySpan<byte> panel, long offset)
    {
        RandomAccess.Write(_file, panel, PanelFile.HeaderBytes + offset);
        Interlocked.Add(ref _sum, PanelFile.SumOf(panel, offset));
    }

    /// <summary>Maps what has been written.</summary>
    public WeightMemory Map() => new(MappedFile.Open(_temporary, "packed weights"), PanelFile.HeaderBytes);

    /// <summary>Says which panels they are, and gives the file its name.</summary>
    public void Keep(Digest origin, Digest model)
    {
        RandomAccess.Write(_file, new PanelFile(origin, _bytes, _sum, model).ToBytes(), 0);
        _file.Dispose();
        File.Move(_temporary, _path, overwrite: true);
        _isKept = true;
    }

    /// <summary>Deletes what is not kept.</summary>
    public void Dispose()
    {
        _file.Dispose();
        if (!_isKept)
            KeptFiles.Delete(new FileInfo(_temporary));
    }
}
