using Kvasir.KvCache;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Some pages of a sequence's blocks, as one row reads them: places follow one another from page to page. When all are chosen, in their
/// order, places are positions, and so are the bits.
/// </summary>
readonly unsafe struct PagedRows(AttentionInput input, RowRun run, int kvHead, int* pages, int count, nint* places = null) : IKvSource
{
    const int Page = PageBounds.PageTokens;

    readonly BlockRows _blocks = new(input, run, kvHead);
    readonly int* _pages = pages;
    readonly nint* _places = places; // where each page's keys begin, and its values; null when all lie in their blocks
    readonly int _end = Math.Min(count * Page, (count - 1) * Page + input.Position(run.FirstRow) - pages[count - 1] * Page + 1);

    public KvRows Keys => _blocks.Keys;

    public KvRows Values => _blocks.Values;

    public int First(int row) => 0;

    /// <summary>A row sees of its own page what comes before it.</summary>
    public int End(int row) => _end;

    public byte* Key(int place) => _places is null
        ? _blocks.Key(Position(place)) : (byte*)_places[place / Page * 2] + place % Page * Keys.Bytes;

    public byte* Value(int place) => _places is null
        ? _blocks.Value(Position(place)) : (byte*)_places[place / Page * 2 + 1] + place % Page * Values.Bytes;

    int Position(int place) => _pages[place / Page] * Page + place % Page;
}
