using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Eviction;

/// <summary>
/// Gives up what is likely to be used least for the time that it would be kept. How likely that is, is learned from the blocks that come
/// back (<see cref="ReturnRates"/>): of each kind, by how long ago it was used. The kind of a block is how often it was used, and how often
/// the conversation that it belongs to went on: a text that goes on is likely to go on again, until such texts end. A block goes after all
/// that follow it, since nothing finds those without it. Only <see cref="Use"/> counts as use, not <see cref="Hold"/>: a block is also held
/// while it is written or copied.
/// </summary>
public sealed class HitDensity : IEvictionPolicy
{
    const int MostUses = 3, MostTurns = 7, Kinds = (MostUses + 1) * (MostTurns + 1);
    const byte MostBranches = 3; // what more follows is others' text, not the same that goes on
    const int LeastLearned = 4096, LeastAged = 256; // steps

    readonly ReturnRates _rates = new(Kinds);
    readonly double[] _densities = new double[Kinds * BlockAge.Buckets];
    readonly RankedQueues _queues = new(Kinds * BlockAge.Buckets);
    readonly SlotQueue _inner = new(); // blocks whose turn came while others followed them
    readonly GhostTable _ghosts = new();
    SlotIndex _blocks = new();
    Entry[] _entries = [];
    uint _now, _learned, _aged; // steps: blocks that were used or added
    bool _knows; // until then all are one kind, and the last used goes last

    /// <summary>Knows nothing yet: what was unused for longest goes first.</summary>
    public HitDensity()
    {
        _rates.Learn(_densities);
        _queues.Rank(_densities);
    }

    /// <inheritdoc/>
    public string Name => "hit-density";

    /// <inheritdoc/>
    public void Attach(SlotIndex blocks) => _blocks = blocks;

    /// <inheritdoc/>
    public void Add(int slot, BlockKey key)
    {
        if (slot >= _entries.Length)
            Array.Resize(ref _entries, Math.Max(slot + 1, 2 * _entries.Length));
        Step();
        ref Entry entry = ref _entries[slot];
        entry = new Entry { LastUse = _now, Branches = _blocks.HasChildren(key) ? (byte)1 : (byte)0 };
        if (_ghosts.Take(key, out int kind, out uint lastUse))
        {
            _rates.Return(kind, _now - lastUse);
            (entry.Uses, entry.Turn) = ((byte)Math.Min(MostUses, kind / (MostTurns + 1) + 1), (byte)(kind % (MostTurns + 1)));
            entry.CameBack = true;
        }
        _queues.Add(slot, Queue(slot));
        if (entry.CameBack && AddedBefore(slot) is var child && child != SlotQueue.None && !_entries[child].CameBack)
            GoOn(child, slot);
        if (_blocks.TryFind(_blocks.Parent(slot), out int before) && before != slot)
            GoOn(slot, before);
    }

    /// <inheritdoc/>
    public void Use(int slot)
    {
        Step();
        ref Entry entry = ref _entries[slot];
        _rates.Return(Kind(slot), _now - entry.LastUse);
        entry.Uses = (byte)Math.Min(MostUses, entry.Uses + 1);
        entry.LastUse = _now;
        if (Leave(slot))
            _queues.Add(slot, Queue(slot));
    }

    /// <inheritdoc/>
    public void Hold(int slot) => _entries[slot].Held = true; // keeps its place until its turn comes

    /// <inheritdoc/>
    public void Release(int slot, bool wasUsed)
    {
        _entries[slot].Held = false;
        if (_queues.QueueOf(slot) < 0 && !_inner.Contains(slot))
            _queues.Add(slot, Queue(slot));
    }

    /// <inheritdoc/>
    public void Remove(int slot)
    {
        Leave(slot);
        Uncover(slot);
    }

    /// <inheritdoc/>
    public int Evict()
    {
        while (TakeNext() is var slot && slot != SlotQueue.None)
        {
            if (_entries[slot].Held)
                continue; // stays out of the queues, so that no later eviction meets it again
            _ghosts.Add(_blocks.Key(slot), Kind(slot), _entries[slot].LastUse);
            Uncover(slot);
            return slot;
        }
        return SlotQueue.None;
    }

    /// <summary>Takes the block that goes next out of its queue, held or not. Where all have others behind them, one of those.</summary>
    int TakeNext()
    {
        while (_queues.Least is var queue && queue != SlotQueue.None)
        {
            int slot = _queues.Oldest(queue), due = Queue(slot);
            _queues.Remove(slot);
            if (due != queue)
                _queues.Add(slot, due);
            else if (!_entries[slot].Held && _blocks.HasChildren(_blocks.Key(slot)))
                _inner.Add(slot);
            else
                return slot;
        }
        int inner = _inner.Oldest;
        if (inner != SlotQueue.None)
            _inner.Remove(inner);
        return inner;
    }

    /// <summary>A block goes: the one before it may go next, if that was only waiting for it.</summary>
    void Uncover(int slot)
    {
        if (!_blocks.TryFind(_blocks.Parent(slot), out int before) || !_inner.Contains(before) || !_blocks.IsOnlyChild(slot))
            return;
        _inner.Remove(before);
        _queues.Add(before, Queue(before), asOldest: true);
    }

    /// <summary>
    /// A text goes on behind a block that is there, or was and has come back. Its new blocks were added right before, the deepest first,
    /// and all that go with them, those of others excepted, have taken one more turn.
    /// </summary>
    void GoOn(int first, int before)
    {
        ref Entry old = ref _entries[before];
        bool goesOn = old.Branches < MostBranches;
        byte turn = (byte)Math.Min(MostTurns, old.Turn + 1);
        old.Branches = Math.Min(MostBranches, (byte)(old.Branches + 1));
        if (!goesOn)
            return;
        int deepest = first, left = _blocks.Count; // a hostile index may lead round in a circle
        while (left-- > 0 && AddedBefore(deepest) is var child && child != SlotQueue.None)
            deepest = child;
        left = _blocks.Count;
        for (int slot = deepest; left-- > 0 && _entries[slot].Branches < MostBranches;)
        {
            Raise(slot, turn);
            if (!_blocks.TryFind(_blocks.Parent(slot), out slot))
                return;
        }
    }

    /// <summary>The block that follows one and was added just before it; -1 for none.</summary>
    int AddedBefore(int slot)
    {
        foreach (int child in _blocks.Children(_blocks.Key(slot)))
            return _entries[child].LastUse == _entries[slot].LastUse - 1 ? child : SlotQueue.None;
        return SlotQueue.None;
    }

    void Raise(int slot, byte turn)
    {
        if (_entries[slot].Turn >= turn)
            return;
        bool waits = _queues.QueueOf(slot) >= 0;
        if (waits)
            _queues.Remove(slot);
        _entries[slot].Turn = turn;
        if (waits)
            _queues.Add(slot, Queue(slot));
    }

    /// <summary>Takes a block out of whichever queue it is in; says whether it was in one.</summary>
    bool Leave(int slot)
    {
        if (_queues.QueueOf(slot) >= 0)
            _queues.Remove(slot);
        else if (_inner.Contains(slot))
            _inner.Remove(slot);
        else
            return false;
        return true;
    }

    void Step()
    {
        _now++;
        if (_now - _learned >= Math.Max(LeastLearned, _queues.Count / 8))
            Learn();
        else if (_now - _aged >= Math.Max(LeastAged, _queues.Count / 32))
            Age();
    }

    /// <summary>Moves blocks that have grown older to the queues of their age.</summary>
    void Age()
    {
        _aged = _now;
        for (int bucket = BlockAge.Buckets - 2; bucket >= 0; bucket--)
            for (int queue = bucket; queue < _densities.Length; queue += BlockAge.Buckets)
                while (_queues.Oldest(queue) is var slot && slot != SlotQueue.None && Queue(slot) is var due && due != queue)
                {
                    _queues.Remove(slot);
                    _queues.Add(slot, due);
                }
    }

    void Learn()
    {
        Age();
        if (!_knows)
            TellApart();
        double time = _now - _learned;
        _learned = _now;
        for (int queue = 0; queue < _densities.Length; queue++)
            if (_queues.CountOf(queue) is > 0 and int blocks)
                _rates.Wait(queue / BlockAge.Buckets, queue % BlockAge.Buckets, blocks, time);
        _ghosts.Wait(_rates, _now, time);
        _ghosts.Fit(_queues.Count);
        _rates.Learn(_densities);
        _queues.Rank(_densities);
    }

    /// <summary>Puts blocks into the queues of their kinds.</summary>
    void TellApart()
    {
        _knows = true;
        for (int queue = 0; queue < BlockAge.Buckets; queue++)
            for (int left = _queues.CountOf(queue); left > 0; left--)
            {
                int slot = _queues.Oldest(queue);
                _queues.Remove(slot);
                _queues.Add(slot, Queue(slot));
            }
    }

    int Kind(int slot) => _entries[slot].Uses * (MostTurns + 1) + _entries[slot].Turn;

    int Queue(int slot) => (_knows ? Kind(slot) : 0) * BlockAge.Buckets + BlockAge.Bucket(_now - _entries[slot].LastUse);

    struct Entry
    {
        public uint LastUse; // when it was added, until it is used
        public byte Uses, Turn, Branches; // each up to its most
        public bool Held, CameBack;
    }
}
