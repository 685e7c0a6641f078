using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Retention;

namespace Kvasir.KvCache.Views;

/// <summary>What a policy chooses from.</summary>
public static class ViewShape
{
    /// <summary>The shape of a view.</summary>
    /// <param name="layout">The pool's blocks.</param>
    /// <param name="codecs">How the view stores keys and values.</param>
    /// <param name="positions">Tokens of the prefix: whole blocks.</param>
    public static RetentionShape Of(KvLayout layout, ViewCodecs codecs, int positions)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(codecs);
        return new RetentionShape([.. layout.Layers.Select((layer, index) => Layer(layer, index, codecs, positions))], positions,
            RetainedView.SegmentSlots, layout.StrideBytes, layout.BlocksFor(positions) * layout.StrideBytes);
    }

    static RetainedLayer Layer(KvLayer layer, int index, ViewCodecs codecs, int positions) => layer.Producer != index
        ? new RetainedLayer(0, 0, false, 0)
        : layer.State is LayerState.Window window
            ? new RetainedLayer(layer.KvHeads, codecs.SegmentBytes(layer), false, Math.Min(window.Tokens, positions))
            : new RetainedLayer(layer.KvHeads, codecs.SegmentBytes(layer), true, positions);
}
