using System.Runtime.InteropServices;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;

namespace Kvasir.KvCache.Streaming;

/// <summary>A right to a block of a sequence that lies outside the pool.</summary>
/// <param name="Lease">The right.</param>
/// <param name="Address">Its first byte where attention can read it in place; 0 when it comes through the ring.</param>
readonly record struct StreamedBlock(BlockLease Lease, nint Address);

/// <summary>
/// Where the blocks of running sequences lie for which the pool has no room: in the host tier's memory, read in place there; what finds no
/// room in that, in a file, of which a layer at a time comes through a ring.
/// </summary>
sealed unsafe class StreamedBlocks : IDisposable
{
    const int PageSlots = 64, PageReaders = 8;

    readonly KvLayout _layout;
    readonly HostTier? _host;
    StreamRing? _pageRing; // once a row wants it

    /// <exception cref="IOException">The file cannot be made.</exception>
    internal StreamedBlocks(BlockPool device, HostTier? host, StreamingOptions options)
    {
        (_layout, Options) = (device.Layout, options);
        bool readsInPlace = host is { IsLossless: true } && host.Pool.Arena.IsHostMemory && device.Arena.IsHostMemory;
        _host = readsInPlace ? host : null;
        if (options.Disk is not { } disk || FileBlocks(options) is var blocks && blocks < 1)
            return;
        File = new StreamFile(disk, _layout, blocks);
        Ring = new StreamRing(File, RingBlocks(options));
        Writer = new StreamWriter(File, device);
    }

    /// <summary>How it is set up.</summary>
    public StreamingOptions Options { get; }

    /// <summary>Blocks in memory, read in place; null when there are none.</summary>
    public BlockPool? Host => _host?.Pool;

    /// <summary>Blocks on the disk; null when there are none.</summary>
    public StreamFile? File { get; }

    /// <summary>Through which they come.</summary>
    public StreamRing? Ring { get; }

    /// <summary>Who writes them ahead.</summary>
    public StreamWriter? Writer { get; }

    /// <summary>Another one, for what lies here and there in the file: of many small reads at a time. Null without a file.</summary>
    public StreamRing? PageRing => File is null ? null : _pageRing ??= new StreamRing(File, PageSlots, PageReaders);

    /// <summary>Bytes that came from the disk.</summary>
    public long BytesRead => (Ring?.BytesRead ?? 0) + (_pageRing?.BytesRead ?? 0);

    /// <summary>Blocks that may still be moved here.</summary>
    public long Room => Unleased(Host) + (File?.Room ?? 0);

    /// <summary>Blocks that it can hold.</summary>
    public long Capacity => (Host?.Counts.Total ?? 0) + (long)(File?.Counts.Total ?? 0);

    static long Unleased(BlockBooks? books) => books?.Counts is { } counts ? counts.Free + counts.Cached : 0;

    int FileBlocks(StreamingOptions options) =>
        (int)Math.Min(options.Blocks, options.Disk!.MaxBytes / StreamFile.BytesFor(_layout, 1));

    int RingBlocks(StreamingOptions options) =>
        (int)Math.Clamp(options.RingBytes / 2 / new LayerSlices(_layout, 1).LargestStride, 1, int.MaxValue / _layout.StrideBytes);

    /// <summary>A block of a key and tokens; null when it is not here.</summary>
    internal StreamedBlock? TryFind(BlockKey key, ReadOnlySpan<int> tokens) =>
        Host?.TryFind(key, tokens) is { } inMemory ? new StreamedBlock(inMemory, (nint)Host.Address(inMemory))
        : File is { IsBroken: false } && File.TryFind(key, tokens) is { } onDisk ? new StreamedBlock(onDisk, 0)
        : null;

    /// <summary>A copy of a block on the disk, on its way to a tier; null when it is not there.</summary>
    internal TierLease? TryCopy(BlockKey key) => File?.TryCopy(key, _layout);

    /// <summary>
    /// Blocks of the pool will be moved here: those that will go to the disk are written there meanwhile. Returns at once.
    /// </summary>
    internal void Expect(IEnumerable<BlockKey> keys)
    {
        if (Writer is null || File is { IsBroken: true } || Unleased(Host) > StreamFile.MostAtOnce)
            return;
        foreach (BlockKey key in keys)
            if (Host?.Contains(key) != true && !File!.Contains(key))
                Writer.Add(key);
    }

    /// <summary>Takes blocks of the pool, as far as there is room; returns those that are here now, the first ones.</summary>
    internal List<StreamedBlock> Take(ReadOnlySpan<BlockWrite> blocks)
    {
        List<StreamedBlock> taken = [];
        while (taken.Count < blocks.Length && TakeInMemory(blocks[taken.Count]) is { } block)
            taken.Add(block);
        if (taken.Count < blocks.Length && Writer is not null)
            WaitForThoseOf(blocks[taken.Count..].ToArray());
        while (taken.Count < blocks.Length && File is not null)
        {
            int before = taken.Count;
            foreach (BlockLease lease in TakeOnDisk(File, blocks[taken.Count..]))
                taken.Add(new StreamedBlock(lease, 0));
            if (taken.Count == before)
                break;
        }
        return taken;
    }

    void WaitForThoseOf(BlockWrite[] blocks) => Writer!.WaitFor(key => Array.Exists(blocks, block => block.Key == key));

    /// <summary>The first block, if another sequence has brought it there; else all up to one that is.</summary>
    static List<BlockLease> TakeOnDisk(StreamFile file, ReadOnlySpan<BlockWrite> blocks)
    {
        if (file.TryFind(blocks[0].Key, blocks[0].Tokens) is { } there)
            return [there];
        int missing = 1;
        while (missing < blocks.Length && !file.Contains(blocks[missing].Key))
            missing++;
        return file.Write(blocks[..missing]);
    }

    /// <summary>Gives up blocks that nobody will look for.</summary>
    internal void Drop(BlockKey[] keys)
    {
        foreach (BlockKey key in keys)
            if (Host?.TryDrop(key) != true)
                File?.TryDrop(key);
    }

    StreamedBlock? TakeInMemory(BlockWrite block)
    {
        if (_host is null)
            return null;
        if (!_host.Contains(block.Key))
            _host.Write(MemoryMarshal.CreateReadOnlySpan(ref block, 1));
        return Host!.TryFind(block.Key, block.Tokens) is { } lease ? new StreamedBlock(lease, (nint)Host.Address(lease)) : null;
    }

    /// <summary>Ends the threads and closes the file.</summary>
    public void Dispose()
    {
        Writer?.Dispose();
        Ring?.Dispose();
        _pageRing?.Dispose();
        File?.Dispose();
    }
}
