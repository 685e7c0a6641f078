using Kvasir.Formats;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Inference.Model;

/// <summary>Where the packed weights of one model are kept, and whether they are.</summary>
/// <param name="files">The files of all models.</param>
/// <param name="path">The model's.</param>
/// <param name="origin">What weights must have been packed of.</param>
/// <param name="note">Told in a line what is amiss.</param>
sealed class PackedModel(KeptFiles files, string path, Digest origin, Action<string> note) : IDisposable
{
    /// <summary>Left on the disk: whoever fills it must not be a cache.</summary>
    const long RoomLeft = 1 << 30;

    PanelFileWriter? _writer;

    /// <summary>The model's digest, once its weights are mapped.</summary>
    public Digest? Model { get; private set; }

    /// <summary>Maps weights that were packed before; null where there are none.</summary>
    public WeightMemory? Map(WeightPacking packing, Action<long, long>? read)
    {
        if (PanelFile.Map(path, origin, packing.Bytes, out PanelFile header) is not { } memory)
            return null;
        bool isWhole = false;
        try
        {
            isWhole = packing.TryPlace(memory, header.Sum, read);
        }
        finally
        {
            if (!isWhole)
                memory.Dispose();
        }
        if (isWhole)
        {
            KeptFiles.Use(path);
            Model = header.Model;
            return memory;
        }
        note($"packed weights: {path} is damaged, and is made again");
        KeptFiles.Delete(new FileInfo(path));
        return null;
    }

    /// <summary>Packs weights into a file; null where none can be written.</summary>
    public WeightMemory? Pack(WeightPacking packing, Action<long, long>? packed)
    {
        try
        {
            string folder = Directory.CreateDirectory(Path.GetDirectoryName(path)!).FullName;
            files.Bound(path, packing.Bytes);
            long free = new DriveInfo(folder).AvailableFreeSpace;
            if (free < packing.Bytes + RoomLeft)
                throw new IOException($"{free >> 20:N0} MiB are free in {folder}, and {packing.Bytes + RoomLeft >> 20:N0} are needed");
            _writer = new PanelFileWriter(path, packing.Bytes);
            return packing.Run(_writer, packed);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            GiveUp(e);
            return null;
        }
    }

    /// <summary>Gives weights that have just been packed to whoever opens the model next.</summary>
    /// <param name="model">The model's digest.</param>
    public void Keep(Digest model)
    {
        try
        {
            _writer?.Keep(origin, model);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            GiveUp(e);
        }
    }

    /// <summary>What was not written as a whole is never given a name.</summary>
    void GiveUp(Exception e)
    {
        Dispose();
        note($"packed weights are not kept: {Printable.Line(e.Message, 512)}");
    }

    public void Dispose()
    {
        _writer?.Dispose();
        _writer = null;
    }
}
