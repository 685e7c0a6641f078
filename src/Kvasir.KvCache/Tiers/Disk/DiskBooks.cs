using Kvasir.KvCache.Eviction;
using Kvasir.KvCache.Prefixes;
using Microsoft.Data.Sqlite;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>
/// What a process knows of the slots of one size: a copy of the catalogue in memory, brought up to date whenever any process has
/// changed the catalogue. Thread-safe.
/// </summary>
sealed partial class DiskBooks : IDisposable
{
    /// <summary>Bytes of a segment's file at most.</summary>
    public const long SegmentBytes = 64 << 20;

    readonly DiskTierOptions _options;
    readonly long _slotBytes;
    readonly int _stride; // slots of a full segment; in memory, segments are numbered that far apart
    readonly Lock _gate = new();
    readonly Lock _reading = new();
    readonly Catalogue _catalogue;
    readonly SlotIndex _index = new();
    readonly Dictionary<long, Segment> _segments = [];
    readonly List<Segment?> _byOrdinal = [];
    readonly HashSet<int> _held = [];
    readonly Dictionary<int, long> _touched = []; // slots and their last use, as far as the catalogue does not know
    // blocks that were forgotten, with where the catalogue may still have them, and the change then
    readonly Dictionary<BlockKey, (long Place, long Change)> _bad = [];
    IEvictionPolicy _policy;
    bool[] _occupied = [];
    long[] _used = []; // last use of what is in a slot, by whichever process
    long _dataVersion = -1, _change, _clock;
    int _next; // where the search for free slots goes on

    public DiskBooks(DiskTierOptions options, long slotBytes, bool canWrite)
    {
        (_options, _slotBytes, _policy) = (options, slotBytes, NewPolicy(options));
        _stride = (int)Math.Clamp(SegmentBytes / slotBytes, 1, Catalogue.PlacesPerSegment);
        _catalogue = Catalogue.Open(options.Folder, canWrite, options.QueryFault);
    }

    public string Policy => _policy.Name;

    IEvictionPolicy NewPolicy(DiskTierOptions options)
    {
        IEvictionPolicy policy = options.Policy();
        policy.Attach(_index);
        return policy;
    }

    /// <summary>Slots of a new segment: a small budget is divided into several.</summary>
    public int SlotsOfNewSegment => (int)Math.Clamp(Math.Min(SegmentBytes, _options.MaxBytes / 8) / _slotBytes, 1, _stride);

    public int Blocks
    {
        get
        {
            lock (_gate)
                return _index.Count;
        }
    }

    public int Free
    {
        get
        {
            lock (_gate)
                return _segments.Values.Sum(segment => segment.Slots) - _index.Count;
        }
    }

    /// <summary>Takes in what any process has committed; does next to nothing when nobody has.</summary>
    public void Refresh()
    {
        lock (_reading)
        {
            long version = _catalogue.Number("PRAGMA data_version");
            if (version == _dataVersion)
                return;
            _catalogue.BeginReading();
            try
            {
                CatalogueNews news = CatalogueNews.Read(_catalogue, _slotBytes, _change, _options.Time.GetUtcNow());
                lock (_gate) // only now: who looks something up here must not wait for the disk
                    Take(news);
            }
            finally
            {
                _catalogue.EndReading();
            }
            _dataVersion = version;
        }
    }

    /// <summary>Forgets all, so that the next <see cref="Refresh"/> reads all: after a write that went wrong half-way.</summary>
    public void Distrust()
    {
        lock (_reading)
            (_dataVersion, _change) = (-1, 0);
    }

    public Segment? SegmentOf(int slot)
    {
        lock (_gate)
            return slot / _stride < _byOrdinal.Count ? _byOrdinal[slot / _stride] : null;
    }

    /// <summary>Does not find a block in a slot any more, whatever the catalogue says.</summary>
    public void Forget(int slot, BlockKey key)
    {
        lock (_gate)
        {
            if (!_index.TryFind(key, out int found) || found != slot)
                return;
            _bad[key] = (Place(slot), _change);
            Forget(slot);
        }
    }

    /// <summary>The place of a block that was forgotten; none when it was written anew since, by whomever: that one is good.</summary>
    public long? TakeBad(BlockKey key)
    {
        lock (_gate)
            return _bad.Remove(key, out (long Place, long Change) bad) ? bad.Place : null;
    }

    /// <summary>The place of a slot in the catalogue.</summary>
    public long Place(int slot) => SegmentOf(slot)!.Id * Catalogue.PlacesPerSegment + slot % _stride;

    /// <summary>A block was used. It becomes known to others with the next write.</summary>
    public void Use(BlockKey key)
    {
        lock (_gate)
            if (_index.TryFind(key, out int slot))
                Use(slot);
    }

    /// <summary>A block was used and, after it, those that it follows.</summary>
    public void UseChain(BlockKey key)
    {
        lock (_gate)
            // as many at most: rows may follow each other in a circle
            for (int left = _index.Count; left > 0 && _index.TryFind(key, out int slot); left--, key = _index.Parent(slot))
                Use(slot);
    }

    void Use(int slot)
    {
        _touched[slot] = _used[slot] = ++_clock;
        if (!_held.Contains(slot))
            _policy.Use(slot);
    }

    /// <summary>The places that were used since the last call, and when.</summary>
    public (long Place, long Used)[] TakeTouched()
    {
        lock (_gate)
        {
            (long, long)[] touched = [.. _touched.Select(pair => (Place(pair.Key), pair.Value))];
            _touched.Clear();
            return touched;
        }
    }

    /// <summary>
    /// The latest use, as a number that grows with each: clocks of machines jump. It is that of the whole directory, so that files of
    /// different slot sizes can be compared.
    /// </summary>
    public long Clock
    {
        get
        {
            lock (_gate)
                return _clock;
        }
    }

    public long NextUse()
    {
        lock (_gate)
            return ++_clock;
    }

    /// <summary>Free slots, as they lie side by side; they stay free until the catalogue says otherwise.</summary>
    public List<int> FindFree(int count)
    {
        List<int> found = [];
        lock (_gate)
        {
            int all = _byOrdinal.Count * _stride;
            for (int seen = 0; seen < all && found.Count < count; seen++, _next++)
            {
                if (_next >= all)
                    _next = 0;
                if (_byOrdinal[_next / _stride] is { } segment && _next % _stride < segment.Slots && !_occupied[_next])
                    found.Add(_next);
            }
        }
        return found;
    }

    /// <summary>Blocks that the policy gives up, with their places.</summary>
    public List<(BlockKey Key, long Place)> Evict(int count)
    {
        List<(BlockKey, long)> victims = [];
        lock (_gate)
            while (victims.Count < count && _policy.Evict() is >= 0 and int slot)
            {
                victims.Add((_index.Key(slot), Place(slot)));
                Vacate(slot);
            }
        return victims;
    }

    public void Dispose()
    {
        lock (_reading) // a query may be under way
            _catalogue.Dispose();
        foreach (Segment segment in _segments.Values)
            segment.Dispose();
    }

    void Take(CatalogueNews news)
    {
        _clock = Math.Max(_clock, news.Clock);
        TakeSegments(news.Segments);
        if (_change == 0 || news.Trimmed > _change) // evictions in between are forgotten
            Reset();
        else
            foreach ((BlockKey key, long place) in news.Evicted)
                if (_index.TryFind(key, out int slot) && Place(slot) == place)
                    Forget(slot);
        foreach (StoredBlock block in news.Blocks)
            Take(block);
        TakePins(news.Pinned);
        _change = news.Change;
    }

    void TakeSegments(Dictionary<long, long> stored)
    {
        foreach (Segment gone in _segments.Values.Where(segment => !stored.ContainsKey(segment.Id)).ToArray())
        {
            for (int slot = gone.First; slot < gone.First + gone.Slots; slot++)
                if (_occupied[slot])
                    Forget(slot);
            _segments.Remove(gone.Id);
            _byOrdinal[gone.First / _stride] = null;
            gone.Dispose();
        }
        foreach ((long id, long slots) in stored)
            if (id is >= 0 and < int.MaxValue && slots >= 1 && slots <= _stride && !_segments.ContainsKey(id))
                AddSegment(id, (int)slots);
    }

    void AddSegment(long id, int slots)
    {
        int ordinal = _byOrdinal.IndexOf(null);
        if (ordinal < 0)
        {
            ordinal = _byOrdinal.Count;
            _byOrdinal.Add(null);
            Grow(_byOrdinal.Count * _stride);
        }
        _byOrdinal[ordinal] = _segments[id] = new Segment(_options.Folder, id, _slotBytes, slots, ordinal * _stride);
    }

    /// <summary>By doubling: thousands of segments are taken in one by one.</summary>
    void Grow(int slots)
    {
        if (slots <= _occupied.Length)
            return;
        int length = Math.Max(slots, 2 * _occupied.Length);
        Array.Resize(ref _occupied, length);
        Array.Resize(ref _used, length);
    }

    void Take(StoredBlock block)
    {
        (long id, long index) = Math.DivRem(block.Place, Catalogue.PlacesPerSegment);
        if (!_segments.TryGetValue(id, out Segment? segment) || index < 0 || index >= segment.Slots)
            return; // of another slot size, or nonsense
        int slot = segment.First + (int)index;
        _clock = Math.Max(_clock, block.Used);
        if (_bad.TryGetValue(block.Key, out (long Place, long Change) bad) && bad.Place == block.Place && block.Change <= bad.Change)
            return; // still the block that was forgotten
        _bad.Remove(block.Key);
        if (_occupied[slot] && _index.Key(slot) == block.Key)
        {
            LearnUse(slot, block.Used);
            return;
        }
        if (_occupied[slot])
            Forget(slot);
        if (_index.TryFind(block.Key, out int elsewhere))
            Forget(elsewhere);
        _index.Add(slot, block.Key, block.Parent);
        _policy.Add(slot, block.Key);
        (_occupied[slot], _used[slot]) = (true, block.Used);
    }

    /// <summary>Another process has used a block; of its own uses this one knows already.</summary>
    void LearnUse(int slot, long used)
    {
        if (used <= _used[slot])
            return;
        _used[slot] = used;
        if (!_held.Contains(slot))
            _policy.Use(slot);
    }

    void TakePins(List<BlockKey> keys)
    {
        HashSet<int> pinned = [];
        foreach (BlockKey key in keys)
            if (_index.TryFind(key, out int slot))
                pinned.Add(slot);
        foreach (int slot in _held.Except(pinned).ToArray())
            _policy.Release(slot, wasUsed: true);
        foreach (int slot in pinned.Except(_held).ToArray())
            _policy.Hold(slot);
        _held.Clear();
        _held.UnionWith(pinned);
    }

    /// <summary>Lets go of pins that have ended.</summary>
    public void ReleaseExpiredPins()
    {
        lock (_reading)
        {
            List<BlockKey> pinned = CatalogueNews.ReadPins(_catalogue, _options.Time.GetUtcNow());
            lock (_gate)
                TakePins(pinned);
        }
    }

    void Reset()
    {
        for (int slot = 0; slot < _occupied.Length; slot++)
            if (_occupied[slot])
                _index.Remove(slot);
        Array.Clear(_occupied);
        _held.Clear();
        _touched.Clear(); // a slot may hold another block from now on, or its file may go without a word
        _policy = NewPolicy(_options);
        _change = 0;
    }

    void Forget(int slot)
    {
        _policy.Remove(slot);
        Vacate(slot);
    }

    void Vacate(int slot)
    {
        _index.Remove(slot);
        _occupied[slot] = false;
        _held.Remove(slot);
        _touched.Remove(slot);
    }
}
