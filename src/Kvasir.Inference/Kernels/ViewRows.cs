using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// What a view keeps for one KV head: places are slots of its segments, all of which rows see, but for those behind a window.
/// </summary>
readonly unsafe struct ViewRows(AttentionInput input, RetainedView view, int kvHead) : IKvSource
{
    const int Slots = RetainedView.SegmentSlots;

    readonly AttentionInput _input = input;
    readonly RetainedView _view = view;
    readonly int _kvHead = kvHead, _count = view.Count(input.Layer, kvHead), _segment = view.FirstSegment(input.Layer, kvHead);
    readonly bool _windowed = input.Layout.Layers[input.Layer].State is LayerState.Window;
    readonly long _values = view.Codecs.ValuesOffset(input.Layout.Layers[input.Layer]);

    public KvRows Keys { get; } = new(input.KeyDim, view.Codecs.Keys);

    public KvRows Values { get; } = new(input.ValueDim, view.Codecs.Values);

    public int First(int row) => _windowed ? _view.CountBefore(_input.Layer, _kvHead, _input.FirstVisible(row)) : 0;

    public int End(int row) => _count;

    public byte* Key(int place) => _view.Segment(_segment + place / Slots);

    public byte* Value(int place) => Key(place) + _values;
}
