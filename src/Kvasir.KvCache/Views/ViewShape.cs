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
        return new RetentionShape([.. layout.Layers.Select((_, index) => Layer(layout, index, codecs, positions))], positions,
            RetainedView.SegmentSlots, layout.StrideBytes, layout.BlocksFor(positions) * layout.StrideBytes);
    }

    /// <summary>
    /// Whether a policy chooses what a layer keeps: it has keys and values of its own, to all of which it attends, and so do all layers
    /// that read them.
    /// </summary>
    public static bool Selects(KvLayout layout, int layer)
    {
        ArgumentNullException.ThrowIfNull(layout);
        return layout.Layers[layer].Producer == layer
            && layout.Layers.All(reader => reader.Producer != layer || reader.State is LayerState.Full);
    }

    static RetainedLayer Layer(KvLayout layout, int index, ViewCodecs codecs, int positions)
    {
        KvLayer layer = layout.Layers[index];
        return layer.Producer != index ? new RetainedLayer(0, 0, false, 0)
            : new RetainedLayer(layer.KvHeads, codecs.SegmentBytes(layer), Selects(layout, index),
                layer.State is LayerState.Window window ? Math.Min(window.Tokens, positions) : positions);
    }
}
