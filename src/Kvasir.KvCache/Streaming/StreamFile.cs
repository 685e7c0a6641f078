using System.IO.Hashing;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.KvCache.Tiers.Disk;
using Microsoft.Win32.SafeHandles;

namespace Kvasir.KvCache.Streaming;

/// <summary>
/// Blocks of running sequences on a disk, to be read a layer at a time, once for each pass. The file has no name: it is gone with the
/// process, however that ends. What was written is known by a checksum for each layer.
/// </summary>
sealed unsafe class StreamFile : BlockBooks, IDisposable
{
    /// <summary>Slots that are written, or read, in one request at most.</summary>
    public const int MostAtOnce = 32;

    const int MostFailures = 3; // in a row, before the disk is not trusted any more

    readonly DiskTierOptions _options;
    readonly SafeFileHandle _file;
    readonly NativeBuffer _staging;
    readonly ulong[] _checksums; // [slot, layer]
    readonly bool[] _takes; // by slot: room of the file system
    readonly Lock _writing = new();
    readonly int _layers;
    int _failures, _taken;

    /// <summary>Makes the file.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    internal StreamFile(DiskTierOptions options, KvLayout layout, int slots) : base(slots, layout.BlockTokens)
    {
        (_options, _layers, Slices) = (options, layout.Layers.Length, new LayerSlices(layout, slots));
        PrivateFolder.Create(options.Folder);
        _file = DirectFile.OpenTemporary(options.Folder, out _);
        _staging = new NativeBuffer(MostAtOnce * Slices.LargestStride);
        _checksums = new ulong[(long)slots * _layers];
        _takes = new bool[slots];
    }

    /// <summary>What went wrong last, in one line; null when nothing did.</summary>
    public string? Problem { get; private set; }

    /// <summary>Whether it fails time and again: nothing more is written, and what is there is lost.</summary>
    public bool IsBroken => Volatile.Read(ref _failures) >= MostFailures;

    internal LayerSlices Slices { get; }

    /// <summary>Blocks that may still be written: slots that nobody holds, as far as the file system has room for them.</summary>
    public long Room
    {
        get
        {
            PoolCounts counts = Counts;
            long taken = Math.Max(0, Volatile.Read(ref _taken) - counts.Leased);
            return IsBroken ? 0 : Math.Min(counts.Free + counts.Cached, taken + _options.FreeBytes() / Slices.SlotBytes);
        }
    }

    /// <summary>Bytes of a disk that so many blocks take.</summary>
    public static long BytesFor(KvLayout layout, long blocks) => new LayerSlices(layout, 1).SlotBytes * blocks;

    /// <summary>Writes blocks, as far as there is room; returns those that are there now, the first ones.</summary>
    /// <param name="blocks">At most <see cref="MostAtOnce"/>.</param>
    internal List<BlockLease> Write(ReadOnlySpan<BlockWrite> blocks)
    {
        lock (_writing)
            return WriteAlone(blocks);
    }

    List<BlockLease> WriteAlone(ReadOnlySpan<BlockWrite> blocks)
    {
        List<MutableBlock> slots = [];
        while (!IsBroken && slots.Count < blocks.Length && TryAllocate() is { } slot)
            slots.Add(slot);
        LeaveWhatIsNotFree(slots);
        slots.Sort(static (a, b) => a.Id.Index.CompareTo(b.Id.Index)); // what was freed comes back last first, and is to be read in runs
        List<BlockLease> leases = [];
        bool written = TryWrite(slots, blocks);
        for (int i = 0; i < slots.Count; i++)
            if (written)
                leases.Add(slots[i].Complete().Register(blocks[i].Key, blocks[i].Parent, blocks[i].Tokens));
            else
                slots[i].Dispose();
        return leases;
    }

    /// <summary>Slots that were never written take room of the file system, of which some has to stay free.</summary>
    void LeaveWhatIsNotFree(List<MutableBlock> slots)
    {
        long wanted = slots.Count(slot => !_takes[slot.Id.Index]) * Slices.SlotBytes;
        if (wanted == 0 || _options.FreeBytes() is var free && free >= wanted)
            return;
        Problem = $"{_options.Folder}: {free:N0} bytes may be taken of what is free, expected {wanted:N0} for what leaves the pool";
        foreach (MutableBlock slot in slots.Where(slot => !_takes[slot.Id.Index]))
            slot.Dispose();
        slots.RemoveAll(slot => !_takes[slot.Id.Index]);
    }

    bool TryWrite(List<MutableBlock> slots, ReadOnlySpan<BlockWrite> blocks)
    {
        try
        {
            for (int first = 0, end; first < slots.Count; first = end)
            {
                for (end = first + 1; end < slots.Count && slots[end].Id.Index == slots[end - 1].Id.Index + 1; end++) { }
                _options.FaultPoint?.Invoke("stream write");
                foreach (int layer in Slices.Owning)
                    WriteRun(layer, slots[first].Id.Index, blocks[first..end]);
            }
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Failed(e.Message);
            return false;
        }
    }

    void WriteRun(int layer, int slot, ReadOnlySpan<BlockWrite> blocks)
    {
        LayerSlice slice = Slices[layer];
        for (int i = 0; i < blocks.Length; i++)
        {
            ReadOnlySpan<byte> content = new((byte*)blocks[i].Payload + slice.Offset, slice.Bytes);
            content.CopyTo(_staging.Span[(i * slice.Stride)..]);
            _checksums[(long)(slot + i) * _layers + layer] = XxHash3.HashToUInt64(content);
        }
        foreach (ref bool takes in _takes.AsSpan(slot, blocks.Length))
        {
            _taken += takes ? 0 : 1;
            takes = true;
        }
        RandomAccess.Write(_file, _staging.Span[..(blocks.Length * slice.Stride)], slice.FileOffset + (long)slot * slice.Stride);
    }

    /// <summary>
    /// Reads a layer of consecutive slots; returns how many of the first ones are as they were written. Any number of threads may read.
    /// </summary>
    internal int Read(int layer, int slot, int count, byte* destination)
    {
        LayerSlice slice = Slices[layer];
        try
        {
            _options.FaultPoint?.Invoke("stream read");
            int bytes = RandomAccess.Read(
                _file, new Span<byte>(destination, count * slice.Stride), slice.FileOffset + (long)slot * slice.Stride);
            int good = 0;
            while (good < bytes / slice.Stride && IsAsWritten(slice.Owner, slot + good, destination + (long)good * slice.Stride))
                good++;
            if (good == count)
                Volatile.Write(ref _failures, 0);
            else
                Failed("a block is not as it was written");
            return good;
        }
        catch (Exception e) // of whatever kind: on the threads that read, it would end the process
        {
            Failed(e.Message);
            return 0;
        }
    }

    /// <summary>A copy of a block, all of its layers; null when it is not here, or not as it was written.</summary>
    internal TierLease? TryCopy(BlockKey key, KvLayout layout)
    {
        if (TryRead(key) is not { } lease)
            return null;
        var copy = new NativeBuffer((int)layout.StrideBytes);
        using var piece = new NativeBuffer(Slices.LargestStride);
        foreach (int layer in Slices.Owning)
        {
            if (Read(layer, lease.Id.Index, 1, piece.Address) == 0)
            {
                copy.Dispose();
                lease.Dispose();
                return null;
            }
            piece.Span[..Slices[layer].Bytes].CopyTo(copy.Span[(int)Slices[layer].Offset..]);
        }
        return new TierLease(lease, copy);
    }

    bool IsAsWritten(int layer, int slot, byte* content) =>
        XxHash3.HashToUInt64(new ReadOnlySpan<byte>(content, Slices[layer].Bytes)) == _checksums[(long)slot * _layers + layer];

    void Failed(string why)
    {
        Problem = $"{_options.Folder}: {why}";
        Interlocked.Increment(ref _failures);
    }

    /// <summary>Closes the file, which is its end.</summary>
    public void Dispose()
    {
        _file.Dispose();
        _staging.Dispose();
    }
}
