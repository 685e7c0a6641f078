using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Views;

/// <summary>
/// The views that a cache has: found by their names, counted while somebody reads them, and afterwards kept until the pool wants their
/// memory, the one that was unused for longest first. Thread-safe.
/// </summary>
public sealed class ViewBook
{
    sealed class Entry(RetainedView view, LinkedListNode<RetainedView> age)
    {
        public readonly RetainedView View = view;
        public readonly LinkedListNode<RetainedView> Age = age;
        public int Leases;
        public bool IsNamed; // or it goes with its last lease
    }

    readonly Lock _gate = new();
    readonly Dictionary<RetainedView, Entry> _entries = [];
    readonly Dictionary<ViewName, Entry> _named = [];
    readonly LinkedList<RetainedView> _ages = new(); // the last one used last

    /// <summary>All views, the one that was used last first.</summary>
    public IReadOnlyList<RetainedView> All
    {
        get
        {
            lock (_gate)
                return [.. _ages.Reverse()];
        }
    }

    /// <summary>Blocks of the pool that views take which nobody reads.</summary>
    public int Reclaimable
    {
        get
        {
            lock (_gate)
                return _entries.Values.Sum(entry => entry.Leases == 0 ? entry.View.Slots : 0);
        }
    }

    /// <summary>A lease of the view of a name; null when there is none.</summary>
    public ViewLease? TryFind(ViewName name)
    {
        ArgumentNullException.ThrowIfNull(name);
        lock (_gate)
            return _named.TryGetValue(name, out Entry? entry) ? Lease(entry) : null;
    }

    /// <summary>
    /// A lease of the view of the longest beginning of a prefix; null when there is none.
    /// </summary>
    /// <param name="keys">The keys of the prefix's blocks.</param>
    /// <param name="name">What the view of the whole prefix would be called.</param>
    /// <param name="blockTokens">Tokens of a block.</param>
    public ViewLease? TryFindLongest(IReadOnlyList<BlockKey> keys, ViewName name, int blockTokens)
    {
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(name);
        lock (_gate)
            for (int block = keys.Count - 1; _named.Count > 0 && block >= 0; block--)
                if (_named.TryGetValue(name with { Prefix = keys[block], Positions = (block + 1) * blockTokens }, out Entry? entry))
                    return Lease(entry);
        return null;
    }

    /// <summary>
    /// Takes a view in. Where there is one of its name already, that one is leased and this one is released: they are equal.
    /// </summary>
    /// <param name="view">The view, from now on the book's.</param>
    /// <param name="isFound">Whether others may find it; else it goes with its lease.</param>
    internal ViewLease Add(RetainedView view, bool isFound)
    {
        lock (_gate)
        {
            if (isFound && _named.TryGetValue(view.Name, out Entry? equal))
            {
                view.Release();
                return Lease(equal);
            }
            var entry = new Entry(view, _ages.AddLast(view)) { IsNamed = isFound };
            _entries.Add(view, entry);
            if (isFound)
                _named.Add(view.Name, entry);
            return Lease(entry);
        }
    }

    /// <summary>Releases the view that nobody reads and that was unused for longest; false when there is none.</summary>
    internal bool TryReclaim()
    {
        lock (_gate)
        {
            for (LinkedListNode<RetainedView>? age = _ages.First; age is not null; age = age.Next)
                if (_entries[age.Value] is { Leases: 0 } entry)
                {
                    Remove(entry);
                    return true;
                }
            return false;
        }
    }

    /// <summary>Releases all views that nobody reads; returns how many.</summary>
    public int Clear()
    {
        int cleared = 0;
        while (TryReclaim())
            cleared++;
        return cleared;
    }

    internal void Return(RetainedView view)
    {
        lock (_gate)
        {
            Entry entry = _entries[view];
            if (--entry.Leases == 0 && !entry.IsNamed)
                Remove(entry);
        }
    }

    ViewLease Lease(Entry entry)
    {
        entry.Leases++;
        _ages.Remove(entry.Age);
        _ages.AddLast(entry.Age);
        return new ViewLease(this, entry.View);
    }

    void Remove(Entry entry)
    {
        _entries.Remove(entry.View);
        _named.Remove(entry.View.Name);
        _ages.Remove(entry.Age);
        entry.View.Release();
    }
}
