using Kvasir.KvCache;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// The blocks of a sequence, behind the prefix that a view stands for, if there is one: places are positions. With an end, they are those
/// of all sequences whose rows are in the run, and nothing behind it is looked at.
/// </summary>
readonly unsafe struct BlockRows(AttentionInput input, RowRun run, int kvHead, int end = int.MaxValue) : IKvSource
{
    readonly AttentionInput _input = input;
    readonly BlockTable _table = run.Table;
    readonly int _start = run.Table.Start, _blockTokens = input.Layout.BlockTokens;
    readonly long _keys = input.Layout.KeyOffset(input.Layer, kvHead), _values = input.Layout.ValueOffset(input.Layer, kvHead);

    public KvRows Keys { get; } = new(input.KeyDim, input.Layout.KeyCodec);

    public KvRows Values { get; } = new(input.ValueDim, input.Layout.ValueCodec);

    public int First(int row) => Math.Max(_start, _input.FirstVisible(row));

    public int End(int row) => Math.Min(end, _input.Position(row) + 1);

    public byte* Key(int place) => At(place, _keys, Keys.Bytes);

    public byte* Value(int place) => At(place, _values, Values.Bytes);

    byte* At(int place, long offset, int bytes)
    {
        (int block, int token) = Math.DivRem(place - _start, _blockTokens);
        return _table.Address(block) + offset + (long)token * bytes;
    }
}
