using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.KvCache.Archive;

/// <summary>
/// Reads one archive, block by block, and takes in each that proves itself. Whether nothing is missing, only the archive's end can tell.
/// </summary>
sealed class ArchiveReader(TieredKvCache cache, SlotHeader header, Stream stream, int mostBlocks) : IDisposable
{
    readonly ArchiveFrame _frame = new(cache, header);
    readonly ITier? _memory = cache.Tiers.FirstOrDefault(tier => tier is { IsLossless: true, Admission: Admission.WhenFull });
    readonly byte[] _slot = new byte[header.Bytes + cache.Layout.BlockBytes];
    readonly NativeBuffer _payload = new((int)cache.Layout.StrideBytes); // aligned as copies want it
    int _imported, _known;

    public async Task<KvArchiveCounts> Read(bool isLast, CancellationToken cancellation)
    {
        if (await Fill(0, ArchiveFrame.HeadBytes, cancellation) is var read && read < ArchiveFrame.HeadBytes)
            throw new InvalidDataException(
                $"this is no archive of keys and values: {read} bytes, and its head alone has {ArchiveFrame.HeadBytes}");
        _frame.CheckHead(_slot.AsSpan(0, ArchiveFrame.HeadBytes));
        while (await HasBlock(cancellation))
            Take();
        if (_frame.ProblemOf(_slot.AsSpan(0, ArchiveFrame.EndBytes)) is { } problem)
            throw Bad(problem);
        if (isLast && await Fill(0, 1, cancellation) > 0)
            throw Bad("something follows the archive's end");
        return new KvArchiveCounts(_frame.Blocks, _imported, _known);
    }

    /// <summary>Reads on: true when another block is there, false when it is the end, and neither if the stream is over before.</summary>
    async Task<bool> HasBlock(CancellationToken cancellation)
    {
        int read = await Fill(0, ArchiveFrame.EndBytes, cancellation);
        bool isEnd = ArchiveFrame.IsEnd(_slot.AsSpan(0, read));
        if (read == ArchiveFrame.EndBytes && !isEnd)
            read += await Fill(read, _slot.Length - read, cancellation);
        int expected = isEnd ? ArchiveFrame.EndBytes : _slot.Length;
        if (read < expected)
            throw Bad($"the archive was cut: after {_frame.Blocks:N0} whole blocks "
                + $"{(read == 0 ? "it stops" : $"{read:N0} bytes of the next")}, without its end");
        return !isEnd;
    }

    public void Dispose() => _payload.Dispose();

    /// <summary>Checks a block and takes it in, unless it is known already, or there is no room.</summary>
    void Take()
    {
        if (_frame.Blocks == mostBlocks)
            throw Bad($"the archive has more blocks than {mostBlocks:N0}");
        if (header.Read(_slot) is not { } block)
            throw Bad($"block {_frame.Blocks} of the archive is damaged, or its key is not that of its tokens");
        if (_memory?.Contains(block.Key) ?? cache.Device.Contains(block.Key))
            _known++;
        else if (TryTake(block))
            _imported++;
        cache.Keep(block.Key);
        _frame.Add(_slot);
    }

    /// <summary>Into a tier of memory that keeps blocks as they were computed; where there is none, into the pool.</summary>
    unsafe bool TryTake(BlockWrite block)
    {
        _slot.AsSpan(header.Bytes).CopyTo(_payload.Span);
        BlockWrite write = block with { Payload = (nint)_payload.Address };
        if (_memory is not null)
            return _memory.Write([write]) == 1;
        if (cache.Device.TryAllocate() is not { } room)
            return false;
        cache.Device.Arena.Write(room.Id, 0, _payload.Address, cache.Layout.BlockBytes);
        room.Complete().Register(block.Key, block.Parent, block.Tokens).Dispose();
        return true;
    }

    InvalidDataException Bad(string what) =>
        new(_frame.Blocks == 0 ? what : $"{what}; what came before is kept ({_frame.Blocks:N0} blocks, {_imported:N0} of them new)");

    /// <summary>Reads into the buffer; fewer bytes than asked for mean that the stream is over.</summary>
    ValueTask<int> Fill(int at, int bytes, CancellationToken cancellation) =>
        stream.ReadAtLeastAsync(_slot.AsMemory(at, bytes), bytes, throwOnEndOfStream: false, cancellation);
}
