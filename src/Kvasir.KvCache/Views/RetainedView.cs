using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Retention;

namespace Kvasir.KvCache.Views;

/// <summary>
/// What a retention policy keeps of an exact prefix: for each layer and KV head its own positions, ascending, whose keys and values are
/// gathered into segments of sixteen in blocks of the pool. Derived and disposable: it can be made again as long as the exact blocks can.
/// <code>
/// segment: [16 keys][16 values]
/// </code>
/// Keys are rotated by their positions before they are stored, and every row behind the view sees all of it, so where a key was is not
/// kept. Behind a window it matters: windowed layers keep what lies before the view's end, without a gap.
/// Immutable; several sequences may read it, each with a lease.
/// </summary>
public sealed unsafe class RetainedView
{
    /// <summary>Keys and values of a segment: as many as a vector has lanes.</summary>
    public const int SegmentSlots = 16;

    readonly KvLayout _layout;
    readonly MutableBlock[] _slots;
    readonly int[] _firstHead; // of each layer, among all heads that own a run; a layer that reads another's has that one's
    readonly int[] _counts; // of each such head
    readonly int[] _firstSegment; // of each such head
    readonly nint[] _segments;
    readonly int[] _most; // of each layer: positions of the head that keeps most

    internal RetainedView(ViewName name, KvLayout layout, ViewCodecs codecs, KeptPositions kept, MutableBlock[] slots,
        nint[] segments)
    {
        (Name, _layout, Codecs, _slots, _segments) = (name, layout, codecs, slots, segments);
        int layers = layout.Layers.Length;
        (_firstHead, _most) = (new int[layers], new int[layers]);
        List<int> counts = [], first = [];
        int segment = 0;
        for (int layer = 0; layer < layers; layer++)
        {
            int producer = layout.Layers[layer].Producer;
            _firstHead[layer] = producer == layer ? counts.Count : _firstHead[producer];
            for (int head = 0; producer == layer && head < layout.Layers[layer].KvHeads; head++)
            {
                int count = kept.Of(layer, head).Length;
                counts.Add(count);
                first.Add(segment);
                segment += SegmentsFor(count);
                _most[layer] = Math.Max(_most[layer], count);
            }
            _most[layer] = _most[producer];
        }
        (_counts, _firstSegment) = ([.. counts], [.. first]);
    }

    /// <summary>Which view it is.</summary>
    public ViewName Name { get; }

    /// <summary>Tokens of the prefix that it stands for: whole blocks.</summary>
    public int Positions => Name.Positions;

    /// <summary>How keys and values are stored in it.</summary>
    public ViewCodecs Codecs { get; }

    /// <summary>Blocks of the pool that it takes.</summary>
    public int Slots => _slots.Length;

    /// <summary>Their bytes.</summary>
    public long Bytes => Slots * _layout.StrideBytes;

    /// <summary>Bytes of the pool that the exact prefix takes.</summary>
    public long ExactBytes => _layout.BlocksFor(Positions) * _layout.StrideBytes;

    /// <summary>Which share of their attention the rows that looked at the prefix gave to what is kept; null where none did.</summary>
    public ViewMass? Mass { get; internal init; }

    /// <summary>
    /// Bytes that a step behind the view does not read, and would of the exact prefix: of every layer, also of those that read another's.
    /// Below 0 where the view stores keys and values in more bits than the pool, and keeps nearly all.
    /// </summary>
    public long UnreadBytes => Enumerable.Range(0, _layout.Layers.Length).Sum(UnreadOf);

    /// <summary>Positions that a head keeps.</summary>
    public int Count(int layer, int kvHead) => _counts[_firstHead[layer] + kvHead];

    /// <summary>Positions that the head of a layer keeps that keeps most.</summary>
    public int Most(int layer) => _most[layer];

    /// <summary>
    /// Which share of the prefix each head keeps, [layer][KV head]; of a layer that reads another's, that one's heads.
    /// </summary>
    public double[][] Shares() => [.. _layout.Layers.Select((shape, layer) =>
        Enumerable.Range(0, shape.KvHeads).Select(head => (double)Count(layer, head) / Positions).ToArray())];

    long UnreadOf(int index)
    {
        KvLayer layer = _layout.Layers[index];
        long seen = layer.State is LayerState.Window window ? Math.Min(window.Tokens, Positions) : Positions;
        long kept = Enumerable.Range(0, layer.KvHeads).Sum(head => (long)Count(index, head));
        return seen * layer.KvHeads * (_layout.KeyRowBytes(index) + _layout.ValueRowBytes(index))
            - kept * (Codecs.Keys.RowBytes(layer.KeyDim) + Codecs.Values.RowBytes(layer.ValueDim));
    }

    /// <summary>Segments that hold so many positions.</summary>
    public static int SegmentsFor(int count) => (count + SegmentSlots - 1) / SegmentSlots;

    /// <summary>The first segment of a head, for <see cref="Segment"/>.</summary>
    public int FirstSegment(int layer, int kvHead) => _firstSegment[_firstHead[layer] + kvHead];

    /// <summary>First byte of a segment; valid while the view is leased.</summary>
    public byte* Segment(int segment) => (byte*)_segments[segment];

    /// <summary>How many of the positions that a head of a windowed layer keeps lie before one.</summary>
    public int CountBefore(int layer, int kvHead, int position)
    {
        int count = Count(layer, kvHead);
        return Math.Clamp(position - (Positions - count), 0, count);
    }

    /// <summary>Gives the blocks back to the pool.</summary>
    internal void Release()
    {
        foreach (MutableBlock slot in _slots)
            slot.Dispose();
    }
}
