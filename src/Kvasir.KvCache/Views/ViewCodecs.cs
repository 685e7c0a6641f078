using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;

namespace Kvasir.KvCache.Views;

/// <summary>How a view stores keys and values.</summary>
/// <param name="Keys">Keys.</param>
/// <param name="Values">Values.</param>
public sealed record ViewCodecs(IKvCodec Keys, IKvCodec Values)
{
    /// <summary>Offset in a segment of its first value; of its first key, 0.</summary>
    public long ValuesOffset(KvLayer layer) => RetainedView.SegmentSlots * (long)Keys.RowBytes(Valid(layer).KeyDim);

    /// <summary>Bytes of a segment of a layer: sixteen keys and values.</summary>
    public long SegmentBytes(KvLayer layer) =>
        ValuesOffset(layer) + RetainedView.SegmentSlots * (long)Values.RowBytes(Valid(layer).ValueDim);

    static KvLayer Valid(KvLayer layer) => layer ?? throw new ArgumentNullException(nameof(layer));
}
