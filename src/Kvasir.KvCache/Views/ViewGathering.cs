using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Retention;

namespace Kvasir.KvCache.Views;

/// <summary>Makes a view: copies what is kept of an exact prefix into blocks of the same pool, in another codec where it has one.</summary>
/// <param name="pool">The pool.</param>
/// <param name="exact">Where the blocks of the prefix are.</param>
/// <param name="name">What the view is called.</param>
/// <param name="codecs">How it stores keys and values.</param>
/// <param name="kept">What is kept.</param>
/// <param name="mass">What is known of the attention that it got.</param>
sealed unsafe class ViewGathering(BlockPool pool, nint[] exact, ViewName name, ViewCodecs codecs, KeptPositions kept,
    ViewMass? mass = null)
{
    readonly KvLayout _layout = pool.Layout;
    readonly List<nint> _segments = [];

    /// <summary>The view; null when the pool has no room for it.</summary>
    public RetainedView? TryGather()
    {
        var slots = new MutableBlock[kept.Slots];
        for (int slot = 0; slot < slots.Length; slot++)
            if (pool.TryAllocate() is { } block)
                slots[slot] = block;
            else
            {
                foreach (MutableBlock taken in slots[..slot])
                    taken.Dispose();
                return null;
            }
        for (int layer = 0; layer < _layout.Layers.Length; layer++)
            for (int head = 0; _layout.Layers[layer].Producer == layer && head < _layout.Layers[layer].KvHeads; head++)
                Gather(layer, head, slots);
        return new RetainedView(name, _layout, codecs, kept, slots, [.. _segments]) { Mass = mass };
    }

    void Gather(int layer, int head, MutableBlock[] slots)
    {
        KvLayer shape = _layout.Layers[layer];
        ReadOnlySpan<int> positions = kept.Of(layer, head);
        var keys = new RowCopy(_layout.KeyCodec, codecs.Keys, shape.KeyDim);
        var values = new RowCopy(_layout.ValueCodec, codecs.Values, shape.ValueDim);
        for (int first = 0, segment = 0; first < positions.Length; first += RetainedView.SegmentSlots, segment++)
        {
            (int slot, long offset) = kept.Packed.Of(layer, head, segment);
            byte* to = pool.Address(slots[slot]) + offset;
            _segments.Add((nint)to);
            for (int i = 0; i < Math.Min(RetainedView.SegmentSlots, positions.Length - first); i++)
            {
                (int block, int token) = Math.DivRem(positions[first + i], _layout.BlockTokens);
                byte* from = (byte*)exact[block];
                keys.Copy(from + _layout.KeyOffset(layer, head), token, to, i);
                values.Copy(from + _layout.ValueOffset(layer, head), token, to + codecs.ValuesOffset(shape), i);
            }
        }
    }

    /// <summary>Copies rows, as they are where both sides store them alike.</summary>
    readonly struct RowCopy(IKvCodec from, IKvCodec to, int dim)
    {
        readonly int _fromBytes = from.RowBytes(dim), _toBytes = to.RowBytes(dim);
        readonly float[]? _row = from.Name == to.Name ? null : new float[dim];

        public void Copy(byte* source, int sourceRow, byte* destination, int destinationRow)
        {
            ReadOnlySpan<byte> stored = new(source + (long)sourceRow * _fromBytes, _fromBytes);
            Span<byte> result = new(destination + (long)destinationRow * _toBytes, _toBytes);
            if (_row is null)
            {
                stored.CopyTo(result);
                return;
            }
            from.Decode(stored, _row);
            to.Encode(_row, result);
        }
    }
}
