using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;

namespace Kvasir.KvCache.Views;

/// <summary>
/// Copies of pages that a sequence's last row chose and that lie on the disk, of each layer and KV head on its own: the next row chooses
/// mostly the same. What it does not choose gives way to what it does. A page's keys come first, then its values.
/// </summary>
sealed unsafe class ChosenPages(KvLayout layout) : IDisposable
{
    const int PagesOfBuffer = 32, Page = PageBounds.PageTokens;

    sealed class Head
    {
        public List<int> Pages { get; set; } = [];
        public List<nint> Places { get; set; } = [];
        public List<int> NextPages { get; set; } = [];
        public List<nint> NextPlaces { get; set; } = [];
        public Stack<nint> Free { get; } = new();
    }

    readonly Head[][] _heads = [.. layout.Layers.Select(layer => Enumerable.Range(0, layer.KvHeads).Select(_ => new Head()).ToArray())];
    readonly List<NativeBuffer> _buffers = [];

    /// <summary>Bytes that they take.</summary>
    public long Bytes { get; private set; }

    /// <summary>Where the values of a page begin.</summary>
    public int ValueOffset(int layer) => Page * layout.KeyRowBytes(layer);

    /// <summary>Makes room for the pages of a row; returns where each lies, or is to be brought, which is noted.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="kvHead">The KV head.</param>
    /// <param name="pages">The pages that it reads, ascending.</param>
    /// <param name="missing">Receives indices of those that are not there.</param>
    public List<nint> Keep(int layer, int kvHead, List<int> pages, List<int> missing)
    {
        Head head = _heads[layer][kvHead];
        head.NextPages.Clear();
        head.NextPlaces.Clear();
        int before = 0;
        foreach (int page in pages)
        {
            for (; before < head.Pages.Count && head.Pages[before] < page; before++)
                head.Free.Push(head.Places[before]);
            bool isThere = before < head.Pages.Count && head.Pages[before] == page;
            head.NextPages.Add(page);
            head.NextPlaces.Add(isThere ? head.Places[before++] : 0);
        }
        for (; before < head.Pages.Count; before++)
            head.Free.Push(head.Places[before]);
        for (int i = 0; i < pages.Count; i++)
            if (head.NextPlaces[i] == 0)
            {
                head.NextPlaces[i] = Take(head, layer);
                missing.Add(i);
            }
        (head.Pages, head.Places, head.NextPages, head.NextPlaces) = (head.NextPages, head.NextPlaces, head.Pages, head.Places);
        return head.Places;
    }

    nint Take(Head head, int layer)
    {
        if (head.Free.TryPop(out nint place))
            return place;
        int bytes = ValueOffset(layer) + Page * layout.ValueRowBytes(layer);
        var buffer = new NativeBuffer(PagesOfBuffer * bytes);
        _buffers.Add(buffer);
        Bytes += buffer.Bytes;
        for (int i = PagesOfBuffer - 1; i > 0; i--)
            head.Free.Push((nint)buffer.Address + i * bytes);
        return (nint)buffer.Address;
    }

    /// <summary>Forgets them all.</summary>
    public void Dispose()
    {
        foreach (Head head in _heads.SelectMany(heads => heads))
        {
            head.Pages.Clear();
            head.Places.Clear();
            head.Free.Clear();
        }
        foreach (NativeBuffer buffer in _buffers)
            buffer.Dispose();
        _buffers.Clear();
        Bytes = 0;
    }
}
