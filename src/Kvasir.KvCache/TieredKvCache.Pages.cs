using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Views;

namespace Kvasir.KvCache;

/// <content>Rows that read only some pages.</content>
public sealed partial class TieredKvCache
{
    const int MostOfPool = 2; // what pages from the disk may take, in pools

    /// <summary>
    /// Why rows of a sequence of so many tokens read everything where it may be streamed from the disk; null when they read by pages.
    /// </summary>
    internal string? WhyNotByPages(PageReads reads, int tokens)
    {
        if (!StreamsFromDisk)
            return null;
        if (Layout.Layers.Any(layer => layer.State is not LayerState.Full))
            return "the cache may stream from the disk, which brings layers whole where some of them have windows";
        if (reads.Budget(Math.Max(tokens, reads.Policy.Minimum) - 1) is not { } pages)
            return "the cache may stream from the disk, of which a bound would have to look at most keys";
        long bytes = pages * Enumerable.Range(0, Layout.Layers.Length).Sum(layer => (long)Layout.Layers[layer].KvHeads
            * PageBounds.PageTokens * (Layout.KeyRowBytes(layer) + Layout.ValueRowBytes(layer)));
        return bytes <= MostOfPool * Device.Counts.Total * Layout.StrideBytes ? null
            : $"the cache may stream from the disk, and the pages that a row reads would take {bytes:N0} bytes, "
                + $"expected at most {MostOfPool} times the pool's";
    }
}
