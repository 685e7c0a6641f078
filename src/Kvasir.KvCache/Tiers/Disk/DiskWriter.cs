using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Metrics;
using Kvasir.KvCache.Prefixes;
using Microsoft.Data.Sqlite;
using Microsoft.Win32.SafeHandles;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>
/// Writes blocks. SQLite's right to write is the directory's: several processes write in turn, each batch like this:
/// <code>
/// BEGIN IMMEDIATE            from here on nobody else writes
/// room                       free slots; else a new segment; else rows of victims are deleted, committed, and it begins again
/// data, flush                into slots that no committed row points at
/// rows, COMMIT               from here on all processes see the blocks
/// </code>
/// A process that dies anywhere in between leaves nothing to repair: slots without a row are free. One thread at a time.
/// </summary>
sealed unsafe class DiskWriter : IDisposable
{
    const int StagedBytes = 4 << 20, UsesPerQuery = 256, MostTaken = 64;

    /// <summary>Times that room is made for one batch: files of another size have to go before one of this size can come.</summary>
    const int MostAttempts = 8;

    readonly DiskTierOptions _options;
    readonly KvLayout _layout;
    readonly SlotHeader _header;
    readonly DiskBooks _books;
    readonly Catalogue _catalogue;
    readonly long _model;
    readonly int _slotBytes;
    NativeBuffer? _staging;

    public DiskWriter(DiskTierOptions options, KvLayout layout, SlotHeader header, DiskBooks books,
        Fingerprint fingerprint, string modelName)
    {
        (_options, _layout, _header, _books) = (options, layout, header, books);
        _slotBytes = checked((int)(header.Bytes + layout.StrideBytes));
        _catalogue = Catalogue.Open(options.Folder, canWrite: true, options.QueryFault);
        _catalogue.Execute("INSERT OR IGNORE INTO models (fingerprint, name, block_tokens, block_bytes) VALUES ($0, $1, $2, $3)",
            fingerprint.Digest.ToArray(), modelName, layout.BlockTokens, layout.BlockBytes);
        _model = _catalogue.Number("SELECT id FROM models WHERE fingerprint = $0", fingerprint.Digest.ToArray());
        _catalogue.DeleteStrayFiles(options.Folder);
        _catalogue.BeImpatient();
    }

    /// <summary>Blocks that had to give way so far.</summary>
    public long Evictions { get; private set; }

    /// <summary>The catalogue, to write other things to.</summary>
    public Catalogue Catalogue => _catalogue;

    /// <summary>Writes blocks, as many as there is room for; returns how many.</summary>
    /// <param name="blocks">The blocks.</param>
    /// <param name="alongside">Writes other things of the same transaction.</param>
    /// <exception cref="IOException">The disk is full or broken.</exception>
    /// <exception cref="SqliteException">Another process is writing for too long, or the catalogue cannot be written.</exception>
    public int Write(ReadOnlySpan<BlockWrite> blocks, Action<Catalogue> alongside)
    {
        GiveBack();
        try
        {
            return WriteBatch(blocks, alongside);
        }
        catch (Exception e) when (e is FileNotFoundException or ForeignFileException)
        {
            DropVanished();
            throw;
        }
    }

    /// <summary>Why the last file of blocks that was wanted could not be made; null when it could.</summary>
    public string? NoRoom { get; private set; }

    int WriteBatch(ReadOnlySpan<BlockWrite> blocks, Action<Catalogue> alongside)
    {
        for (int attempt = 0; ; attempt++)
        {
            Fault("begin");
            using Catalogue.Writing writing = _catalogue.Write();
            _books.Refresh();
            List<BlockWrite> missing =
                [.. blocks.ToArray().Where(block => !_books.TryFind(block.Key, out _)).DistinctBy(block => block.Key)];
            if (attempt < MostAttempts && _books.Free < missing.Count && MakeRoom(missing.Count - _books.Free) is { } obsolete)
            {
                Fault("room");
                writing.Commit();
                Fault("room committed");
                Delete(obsolete);
                _books.Refresh();
                continue;
            }
            int written = WriteMissing(missing);
            SaveUse();
            alongside(_catalogue);
            Fault("rows");
            writing.Commit();
            Fault("committed");
            _books.Refresh();
            RenewAncestors(missing);
            return written;
        }
    }

    /// <summary>What new blocks stand on is used with them, or it would be older than they are and give way before them.</summary>
    void RenewAncestors(List<BlockWrite> written)
    {
        HashSet<BlockKey> keys = [.. written.Select(block => block.Key)];
        foreach (BlockKey parent in written.Select(block => block.Parent).Where(parent => !keys.Contains(parent)).Distinct())
            _books.UseChain(parent);
    }

    /// <summary>Writes down when blocks were used.</summary>
    public void SaveUse()
    {
        (long Place, long Used)[] touched = _books.TakeTouched();
        long now = _options.Time.GetUtcNow().ToUnixTimeSeconds(), change = touched.Length > 0 ? _catalogue.NextChange() : 0;
        foreach ((long Place, long Used)[] some in touched.Chunk(UsesPerQuery)) // each query may take a slow disk's time
            _catalogue.Execute($"""
                UPDATE blocks SET used = column2, at = $0, change = $1
                FROM (VALUES {string.Join(", ", some.Select(use => $"({use.Place}, {use.Used})"))}) WHERE place = column1 AND used < column2
                """, now, change);
        _catalogue.RaiseTo("clock", _books.Clock);
    }

    /// <summary>
    /// Frees the slot of a block that was forgotten, if the catalogue still says that it is there and nobody has written it anew.
    /// </summary>
    public void RemoveBad(BlockKey key)
    {
        using Catalogue.Writing writing = _catalogue.Write();
        _books.Refresh();
        if (_books.TakeBad(key) is { } place
            && _catalogue.Number("SELECT count(*) FROM blocks WHERE place = $0 AND key = $1", place, key.Digest.ToArray()) > 0)
            _catalogue.Evict(key, place, _catalogue.NextChange(), _options.Time.GetUtcNow());
        writing.Commit();
        _books.Refresh();
    }

    /// <summary>Evicts blocks that nobody keeps; returns how many.</summary>
    public int Evict(IEnumerable<BlockKey> keys)
    {
        using Catalogue.Writing writing = _catalogue.Write();
        _books.Refresh();
        (DateTimeOffset now, long change, int evicted) = (_options.Time.GetUtcNow(), _catalogue.NextChange(), 0);
        foreach (BlockKey key in keys)
        {
            if (!_books.TryFind(key, out int slot) || _catalogue.Number("SELECT count(*) FROM pins WHERE key = $0 AND until > $1",
                key.Digest.ToArray(), now.ToUnixTimeSeconds()) > 0)
                continue;
            _catalogue.Evict(key, _books.Place(slot), change, now);
            evicted++;
        }
        writing.Commit();
        _books.Refresh();
        return evicted;
    }

    public void Dispose()
    {
        _staging?.Dispose();
        _catalogue.Dispose();
    }

    int WriteMissing(List<BlockWrite> blocks)
    {
        List<int> slots = _books.FindFree(blocks.Count);
        if (slots.Count == 0)
            return 0;
        WriteData(blocks, slots);
        Fault("data");
        foreach (Segment segment in slots.Select(slot => _books.SegmentOf(slot)!).Distinct())
            RandomAccess.FlushToDisk(segment.ForWriting());
        Fault("flushed");
        InsertRows(blocks, slots);
        return slots.Count;
    }

    /// <summary>Slots that lie side by side are written with one request.</summary>
    void WriteData(List<BlockWrite> blocks, List<int> slots)
    {
        _staging ??= new NativeBuffer(Math.Max(_slotBytes, StagedBytes / _slotBytes * _slotBytes));
        int staged = 0;
        for (int i = 0; i < slots.Count; i++)
        {
            Stage(blocks[i], _staging.Span.Slice(staged, _slotBytes));
            staged += _slotBytes;
            bool goesOn = i + 1 < slots.Count && slots[i + 1] == slots[i] + 1
                && _books.SegmentOf(slots[i + 1]) == _books.SegmentOf(slots[i]);
            if (goesOn && staged + _slotBytes <= _staging.Bytes)
                continue;
            Segment segment = _books.SegmentOf(slots[i])!;
            RandomAccess.Write(segment.ForWriting(), _staging.Span[..staged], segment.Offset(slots[i]) + _slotBytes - staged);
            Fault("some data");
            staged = 0;
        }
    }

    void Stage(BlockWrite block, Span<byte> slot)
    {
        var payload = new ReadOnlySpan<byte>((void*)block.Payload, (int)_layout.BlockBytes);
        _header.Write(slot[.._header.Bytes], block, payload);
        payload.CopyTo(slot[_header.Bytes..]);
        slot[(_header.Bytes + payload.Length)..].Clear();
    }

    void InsertRows(List<BlockWrite> blocks, List<int> slots)
    {
        long change = _catalogue.NextChange(), now = _options.Time.GetUtcNow().ToUnixTimeSeconds();
        // A row of the same key or place is that of a block which was damaged and is not yet out of the catalogue.
        for (int i = slots.Count - 1; i >= 0; i--) // the deepest first, so that what it stands on is newer
            _catalogue.Execute("INSERT OR REPLACE INTO blocks VALUES ($0, $1, $2, $3, $4, $5, $6, $7)", _books.Place(slots[i]),
                blocks[i].Key.Digest.ToArray(), blocks[i].Parent.Digest.ToArray(),
                _model, TokenBlob.Write(blocks[i].Tokens), _books.NextUse(), now, change);
    }

    /// <summary>
    /// Makes room for so many blocks; returns the segments whose files are no longer needed, or null when nothing could be done. A segment
    /// of another slot size goes before blocks of this one that were used later than any of its own.
    /// </summary>
    List<long>? MakeRoom(int blocks)
    {
        List<long> obsolete = [];
        bool changed = false;
        while (blocks > 0 && TryGrow())
            (blocks, changed) = (blocks - _books.SlotsOfNewSegment, true);
        if (blocks > 0 && ColdestOfAnotherSize() is { } cold)
        {
            Drop(cold);
            obsolete.Add(cold);
            changed = true;
        }
        else if (blocks > 0)
        {
            int batch = Math.Max(blocks, _books.Blocks / 64); // some more than needed: the next batches find room
            changed |= EvictBlocks(batch) > 0;
        }
        return changed ? obsolete : null;
    }

    bool TryGrow()
    {
        long bytes = (long)_slotBytes * _books.SlotsOfNewSegment;
        long free = FreeSpace();
        NoRoom = _catalogue.SegmentBytes() + bytes > _options.MaxBytes
            ? $"{_options.Folder}: {_options.MaxBytes:N0} bytes may be taken, and a file of blocks takes {bytes:N0}"
            : free - bytes < _options.KeepFreeBytes
            ? $"{_options.Folder}: {free:N0} bytes are free, and a file of blocks, of {bytes:N0}, must leave {_options.KeepFreeBytes:N0}"
            : null;
        if (NoRoom is not null)
            return false;
        long id = _catalogue.NextSegment();
        for (int taken = 0; taken < MostTaken && OwnFile.Exists(Segment.PathOf(_options.Folder, id)); taken++)
            id = _catalogue.NextSegment(); // whatever it is that lies there: it stays
        try
        {
            DirectFile.Create(Segment.PathOf(_options.Folder, id), bytes);
        }
        catch (IOException) when (_books.Blocks > 0)
        {
            return false; // a quota that free space does not tell of: others give way instead
        }
        _catalogue.Execute("INSERT INTO segments VALUES ($0, $1, $2)", id, _slotBytes, _books.SlotsOfNewSegment);
        return true;
    }

    int EvictBlocks(int count)
    {
        _books.ReleaseExpiredPins();
        List<(BlockKey Key, long Place)> victims = _books.Evict(count);
        if (victims.Count == 0)
            return 0;
        long change = _catalogue.NextChange();
        foreach ((BlockKey key, long place) in victims)
            _catalogue.Evict(key, place, change, _options.Time.GetUtcNow());
        _catalogue.TrimEvicted();
        Evictions += victims.Count;
        KvCacheMetrics.Evicted(Tier.Disk.Name(), _books.Policy, victims.Count);
        return victims.Count;
    }

    /// <summary>A segment of another slot size that was not used since before any block of this one.</summary>
    long? ColdestOfAnotherSize()
    {
        if (_catalogue.Number("SELECT count(*) FROM segments WHERE slot_bytes <> $0", _slotBytes) == 0)
            return null;
        long mine = _catalogue.Number(
            $"SELECT coalesce(min(used), {long.MaxValue}) FROM segments JOIN blocks ON {Catalogue.InSegment} WHERE slot_bytes = $0",
            _slotBytes);
        return _catalogue.ColdestSegments(_options.Time.GetUtcNow(), otherThan: _slotBytes, before: mine) is [var cold, ..] ? cold : null;
    }

    void Drop(long segment) => Evictions += _catalogue.DropSegment(segment, _options.Time.GetUtcNow());

    /// <summary>
    /// Others need the file system's space too: while it is short, a segment goes at each write. And the budget may be less
    /// than it was. What is pinned stays.
    /// </summary>
    void GiveBack()
    {
        bool isShort = FreeSpace() < _options.KeepFreeBytes;
        if (!isShort && _catalogue.SegmentBytes() <= _options.MaxBytes)
            return;
        DateTimeOffset now = _options.Time.GetUtcNow();
        using (Catalogue.Writing writing = _catalogue.Write())
        {
            Evictions += _catalogue.Shrink(_options.MaxBytes, now);
            if (isShort && _catalogue.ColdestSegments(now) is [var cold, ..])
                Drop(cold);
            writing.Commit();
        }
        _catalogue.DeleteStrayFiles(_options.Folder);
        _books.Refresh();
    }

    void DropVanished()
    {
        using Catalogue.Writing writing = _catalogue.Write();
        Evictions += _catalogue.DropVanished(_options.Folder, _options.Time.GetUtcNow());
        writing.Commit();
    }

    void Delete(List<long> segments)
    {
        foreach (long id in segments)
            Segment.TryDelete(Segment.PathOf(_options.Folder, id));
    }

    long FreeSpace() => new DriveInfo(_options.Folder).AvailableFreeSpace;

    void Fault(string step) => _options.FaultPoint?.Invoke(step);
}
