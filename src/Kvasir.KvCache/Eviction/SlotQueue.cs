namespace Kvasir.KvCache.Eviction;

/// <summary>
/// Slots in a row, the oldest first, any of which can leave. The links lie in two arrays indexed by slot, which grow by themselves: once
/// they have, nothing is allocated.
/// </summary>
sealed class SlotQueue
{
    /// <summary>No slot.</summary>
    public const int None = -1;

    const int Outside = -2; // as a link: the slot is not in the queue

    int[] _older = [];
    int[] _younger = [];
    int _youngest = None;

    /// <summary>Slots in the queue.</summary>
    public int Count { get; private set; }

    /// <summary>The slot that came first, or <see cref="None"/>.</summary>
    public int Oldest { get; private set; } = None;

    /// <summary>Whether a slot is in the queue.</summary>
    public bool Contains(int slot) => slot < _older.Length && _older[slot] != Outside;

    /// <summary>Puts a slot at the young end.</summary>
    /// <exception cref="ArgumentException">It is in the queue: linked twice, it would tie a loop.</exception>
    public void Add(int slot)
    {
        if (slot >= _older.Length)
            Grow(slot + 1);
        else if (_older[slot] != Outside)
            throw new ArgumentException($"slot {slot} is there already");
        (_older[slot], _younger[slot]) = (_youngest, None);
        Link(_youngest, slot);
        _youngest = slot;
        Count++;
    }

    /// <summary>Takes a slot out.</summary>
    /// <exception cref="ArgumentException">It is not in the queue.</exception>
    public void Remove(int slot)
    {
        if (!Contains(slot))
            throw new ArgumentException($"slot {slot} is not there");
        int older = _older[slot], younger = _younger[slot];
        Link(older, younger);
        if (younger == None)
            _youngest = older;
        else
            _older[younger] = older;
        _older[slot] = Outside;
        Count--;
    }

    /// <summary>Moves a slot to the young end.</summary>
    public void Renew(int slot)
    {
        Remove(slot);
        Add(slot);
    }

    void Link(int older, int younger)
    {
        if (older == None)
            Oldest = younger;
        else
            _younger[older] = younger;
    }

    void Grow(int slots)
    {
        int from = _older.Length, to = Math.Max(slots, 2 * from);
        Array.Resize(ref _older, to);
        Array.Resize(ref _younger, to);
        _older.AsSpan(from).Fill(Outside);
    }
}
