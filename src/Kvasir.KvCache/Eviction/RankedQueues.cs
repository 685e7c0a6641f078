using System.Numerics;

namespace Kvasir.KvCache.Eviction;

/// <summary>
/// Slots in many queues, of which the one that is worth least and not empty is found at once. A slot is in one queue at most. The arrays
/// grow with the slots; nothing else is allocated.
/// </summary>
sealed class RankedQueues
{
    const int None = SlotQueue.None;
    const int Word = 64;

    readonly int[] _oldest, _youngest, _counts, _byRank, _ranks;
    readonly double[] _sorted;
    readonly ulong[] _filled; // by rank
    int[] _older = [];
    int[] _younger = [];
    short[] _queueOf = []; // one more than the queue's number; 0 for none

    /// <param name="queues">How many queues.</param>
    public RankedQueues(int queues)
    {
        (_oldest, _youngest, _counts, _sorted) = (new int[queues], new int[queues], new int[queues], new double[queues]);
        (_byRank, _ranks, _filled) = ([.. Enumerable.Range(0, queues)], new int[queues], new ulong[(queues + Word - 1) / Word]);
        _oldest.AsSpan().Fill(None);
        _youngest.AsSpan().Fill(None);
    }

    /// <summary>Slots in all queues.</summary>
    public int Count { get; private set; }

    /// <summary>The queue that is worth least of those that are not empty; -1 when all are.</summary>
    public int Least
    {
        get
        {
            for (int word = 0; word < _filled.Length; word++)
                if (_filled[word] != 0)
                    return _byRank[word * Word + BitOperations.TrailingZeroCount(_filled[word])];
            return None;
        }
    }

    /// <summary>Slots in a queue.</summary>
    public int CountOf(int queue) => _counts[queue];

    /// <summary>The slot that came into a queue first; -1 when it is empty.</summary>
    public int Oldest(int queue) => _oldest[queue];

    /// <summary>The queue that a slot is in; -1 for none.</summary>
    public int QueueOf(int slot) => slot < _queueOf.Length ? _queueOf[slot] - 1 : None;

    /// <summary>Says what each queue is worth; of equal ones any may be the least.</summary>
    public void Rank(double[] worth)
    {
        for (int i = 0; i < worth.Length; i++)
            (_byRank[i], _sorted[i]) = (i, worth[i]);
        Array.Sort(_sorted, _byRank);
        _filled.AsSpan().Clear();
        for (int rank = 0; rank < _byRank.Length; rank++)
        {
            _ranks[_byRank[rank]] = rank;
            if (_counts[_byRank[rank]] > 0)
                _filled[rank / Word] |= 1UL << rank;
        }
    }

    /// <summary>Puts a slot that is in none into a queue, at its young end, or at the old one.</summary>
    public void Add(int slot, int queue, bool asOldest = false)
    {
        if (slot >= _older.Length)
            Grow(slot + 1);
        _queueOf[slot] = (short)(queue + 1);
        (int older, int younger) = asOldest ? (None, _oldest[queue]) : (_youngest[queue], None);
        (_older[slot], _younger[slot]) = (older, younger);
        Link(queue, older, slot);
        Link(queue, slot, younger);
        Count++;
        if (_counts[queue]++ == 0)
            _filled[_ranks[queue] / Word] |= 1UL << _ranks[queue];
    }

    /// <summary>Takes a slot out of its queue.</summary>
    public void Remove(int slot)
    {
        int queue = QueueOf(slot);
        Link(queue, _older[slot], _younger[slot]);
        _queueOf[slot] = 0;
        Count--;
        if (--_counts[queue] == 0)
            _filled[_ranks[queue] / Word] &= ~(1UL << _ranks[queue]);
    }

    void Link(int queue, int older, int younger)
    {
        if (older == None)
            _oldest[queue] = younger;
        else
            _younger[older] = younger;
        if (younger == None)
            _youngest[queue] = older;
        else
            _older[younger] = older;
    }

    void Grow(int slots)
    {
        int length = Math.Max(slots, 2 * _older.Length);
        Array.Resize(ref _older, length);
        Array.Resize(ref _younger, length);
        Array.Resize(ref _queueOf, length);
    }
}
