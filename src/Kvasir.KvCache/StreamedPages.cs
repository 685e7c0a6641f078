using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Streaming;
using Kvasir.KvCache.Views;

namespace Kvasir.KvCache;

/// <summary>
/// Brings from the disk the pages that a row reads of a layer: of each block once, whichever KV heads want something of it, and only what
/// the row before did not have brought. Belongs to one thread.
/// </summary>
sealed unsafe class StreamedPages(StreamRing ring, StreamFile file, KvLayout layout)
{
    readonly record struct Wanted(int Slot, int Token, int KvHead, nint Place);

    readonly List<Wanted> _wanted = [];
    readonly List<int> _slots = [], _pages = [], _missing = [], _part = [];
    readonly List<nint> _onDisk = []; // where in a list of addresses those go that are found here

    /// <summary>Slots that did not come as they were written, when <see cref="TryBring"/> has said so.</summary>
    public List<int> Failed { get; } = [];

    /// <summary>Says where pages lie that a row reads, in memory now or when they are brought.</summary>
    /// <param name="table">The sequence.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="kvHead">The KV head.</param>
    /// <param name="pages">The pages, ascending.</param>
    /// <param name="addresses">Receives where the keys of each begin, and where its values do.</param>
    public void Want(BlockTable table, int layer, int kvHead, ReadOnlySpan<int> pages, nint* addresses)
    {
        const int Page = PageBounds.PageTokens;
        _pages.Clear();
        _onDisk.Clear();
        _missing.Clear();
        foreach (int page in pages) // in their blocks, if those are in memory
        {
            (int block, int token) = Math.DivRem(page * Page, layout.BlockTokens);
            if (table[block].IsOf(file))
            {
                _pages.Add(page);
                _onDisk.Add((nint)addresses);
            }
            else
                (addresses[0], addresses[1]) = ((nint)Key(table.Address(block), layer, kvHead, token),
                    (nint)Value(table.Address(block), layer, kvHead, token));
            addresses += 2;
        }
        ChosenPages kept = table.Pages!.FromDisk;
        List<nint> places = kept.Keep(layer, kvHead, _pages, _missing);
        for (int i = 0; i < places.Count; i++)
            (((nint*)_onDisk[i])[0], ((nint*)_onDisk[i])[1]) = (places[i], places[i] + kept.ValueOffset(layer));
        foreach (int i in _missing)
        {
            (int block, int token) = Math.DivRem(_pages[i] * Page, layout.BlockTokens);
            _wanted.Add(new Wanted(table[block].Id.Index, token, kvHead, places[i]));
        }
        table.Pages.NoteDisk(_pages.Count, _missing.Count);
    }

    /// <summary>Brings what is wanted and not there; false when some of it did not come.</summary>
    public bool TryBring(int layer)
    {
        Failed.Clear();
        _wanted.Sort(static (a, b) => a.Slot.CompareTo(b.Slot));
        _slots.Clear();
        foreach (Wanted wanted in _wanted)
            if (_slots.Count == 0 || _slots[^1] != wanted.Slot)
                _slots.Add(wanted.Slot);
        int next = 0;
        for (int first = 0, half = 0; first < _slots.Count; first += ring.Capacity, half = 1 - half)
        {
            if (first == 0)
                Begin(half, layer, first);
            if (first + ring.Capacity < _slots.Count)
                Begin(1 - half, layer, first + ring.Capacity);
            Failed.AddRange(ring.Wait(half));
            for (int i = first; i < Math.Min(first + ring.Capacity, _slots.Count); i++)
                for (byte* block = ring.Address(half, i - first); next < _wanted.Count && _wanted[next].Slot == _slots[i]; next++)
                    Copy(block, layer, _wanted[next]);
        }
        _wanted.Clear();
        return Failed.Count == 0;
    }

    void Begin(int half, int layer, int first)
    {
        _part.Clear();
        for (int i = first; i < Math.Min(first + ring.Capacity, _slots.Count); i++)
            _part.Add(_slots[i]);
        ring.Begin(half, layer, _part);
    }

    void Copy(byte* block, int layer, Wanted wanted)
    {
        int keys = PageBounds.PageTokens * layout.KeyRowBytes(layer), values = PageBounds.PageTokens * layout.ValueRowBytes(layer);
        Buffer.MemoryCopy(Key(block, layer, wanted.KvHead, wanted.Token), (void*)wanted.Place, keys, keys);
        Buffer.MemoryCopy(Value(block, layer, wanted.KvHead, wanted.Token), (byte*)wanted.Place + keys, values, values);
    }

    byte* Key(byte* block, int layer, int kvHead, int token) =>
        block + layout.KeyOffset(layer, kvHead) + (long)token * layout.KeyRowBytes(layer);

    byte* Value(byte* block, int layer, int kvHead, int token) =>
        block + layout.ValueOffset(layer, kvHead) + (long)token * layout.ValueRowBytes(layer);
}
