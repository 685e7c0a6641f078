using Kvasir.KvCache.Views;

namespace Kvasir.KvCache;

/// <summary>Rows that read only some pages.</summary>
public sealed partial class CachedSequence
{
    /// <summary>
    /// From a position on, rows read only some pages: what they compute is not exact, and nobody else's, until <see cref="ReadAll"/>.
    /// </summary>
    public void Read(PageReads pages)
    {
        ReadAll();
        Table.Pages = pages;
    }

    /// <summary>Rows read everything again. What was computed of some pages alone is forgotten.</summary>
    public void ReadAll()
    {
        if (Table.Pages is not { } pages)
            return;
        Cut(pages.From);
        Table.Pages = null;
        pages.Truncate(0);
    }

    /// <summary>The tokens, from the first, whose keys and values are exact: others may find them.</summary>
    ReadOnlySpan<int> Exact(ReadOnlySpan<int> tokens) =>
        Table.Pages is { From: var from } && from < tokens.Length ? tokens[..from] : tokens;
}
