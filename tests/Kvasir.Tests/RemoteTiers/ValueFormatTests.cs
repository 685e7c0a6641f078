using System.Collections.Immutable;
using System.Text;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.Tests.RemoteTiers;

/// <summary>What a store gives back may be anything: all that is not what was written is a miss.</summary>
public sealed unsafe class ValueFormatTests : IDisposable
{
    const int Blocks = 3;

    readonly KvLayout _layout = new(4, F16Codec.Instance, [new KvLayer(new LayerState.Full(), 1, 8, 0)]);
    readonly Fingerprint _model = BlockChains.Model("model");
    readonly BlockChains _chains;
    readonly ImmutableArray<LayerGroup> _groups;
    readonly ValueFormat _format;
    readonly BlockWrite[] _blocks;
    readonly byte[] _value;

    public ValueFormatTests()
    {
        _chains = new BlockChains(_layout);
        _groups = LayerGroup.Of(_layout, 1 << 20);
        _format = new ValueFormat(_layout.BlockTokens, _model, _groups);
        _blocks = Chain("somebody");
        _value = Value(_format, _blocks);
    }

    public void Dispose() => _chains.Dispose();

    BlockWrite[] Chain(string salt) => _chains.Chain(_model, salt, Blocks);

    static byte[] Value(ValueFormat format, BlockWrite[] blocks)
    {
        byte[] value = new byte[format.Bytes(0, blocks.Length)];
        format.Write(value, 0, blocks);
        return value;
    }

    ReadOutcome[] Read(byte[] value, ValueFormat? format = null, BlockWrite[]? wanted = null)
    {
        format ??= _format;
        ReadOutcome outcome = format.Check(value, 0, Blocks);
        return [.. (wanted ?? _blocks).Select((block, index) => outcome == ReadOutcome.Ok
            ? format.Read(value, 0, Blocks, index, new LoadedBlock(block.Key, block.Parent, block.Tokens, 0, _chains.Memory(0)))
            : outcome)];
    }

    [Fact]
    public void What_was_written_comes_back()
    {
        Assert.Equal(Enumerable.Repeat(ReadOutcome.Ok, Blocks), Read(_value));
        byte* memory = _chains.Memory(0);
        BlockWrite block = _blocks[1];
        Assert.Equal(ReadOutcome.Ok, _format.Read(_value, 0, Blocks, 1, new LoadedBlock(block.Key, block.Parent, block.Tokens, 0, memory)));
        Assert.True(new Span<byte>(memory, (int)_layout.BlockBytes).IndexOfAnyExcept((byte)2) < 0);
    }

    [Fact]
    public void Every_flipped_byte_is_a_miss()
    {
        for (int at = 0; at < _value.Length; at++)
        {
            _value[at] ^= 0x41;
            Assert.Contains(Read(_value), outcome => outcome != ReadOutcome.Ok);
            _value[at] ^= 0x41;
        }
    }

    [Fact]
    public void Every_torn_value_is_a_miss()
    {
        for (int length = 0; length < _value.Length; length++)
            Assert.NotEqual(ReadOutcome.Ok, _format.Check(_value.AsSpan(0, length), 0, Blocks));
        Assert.NotEqual(ReadOutcome.Ok, _format.Check([.. _value, 0], 0, Blocks));
    }

    [Fact]
    public void Values_of_others_are_misses_that_say_why()
    {
        BlockWrite[] others = Chain("somebody else");
        Assert.All(Read(Value(_format, others)), outcome => Assert.Equal(ReadOutcome.WrongKey, outcome));
        BlockWrite[] otherParent = [.. _blocks.Select(block => block with { Parent = block.Key })],
            otherTokens = [.. _blocks.Select(block => block with { Tokens = [.. block.Tokens.Select(token => token + 1)] })];
        Assert.All(Read(Value(_format, otherParent)), outcome => Assert.Equal(ReadOutcome.WrongParent, outcome));
        Assert.All(Read(Value(_format, otherTokens)), outcome => Assert.Equal(ReadOutcome.WrongTokens, outcome));
        Assert.All(Read(Value(new ValueFormat(_layout.BlockTokens, BlockChains.Model("other"), _groups), _blocks)),
            outcome => Assert.Equal(ReadOutcome.WrongFingerprint, outcome));
        byte[] later = (byte[])_value.Clone();
        later[8]++;
        Assert.All(Read(later), outcome => Assert.Equal(ReadOutcome.WrongVersion, outcome));
        Assert.Equal(ReadOutcome.WrongLength, _format.Check(_value, 0, Blocks + 1));
        Assert.Equal(ReadOutcome.WrongLength, _format.Check(Value(_format, _blocks[..1]), 0, Blocks));
    }

    [Fact]
    public void Entries_are_what_was_written_or_none()
    {
        StoredRun run = new(_blocks[2].Key, 3);
        StoredBlock block = new(_blocks[1].Parent, _blocks[1].Tokens, run, 1, DateTimeOffset.FromUnixTimeSeconds(1000));
        byte[] bytes = BlockEntry.Write(block, _model);
        StoredBlock read = BlockEntry.Read(bytes, _model, 4)!;
        Assert.Equal((_blocks[1].Key, block.Run, 1, block.Written), (read.Key, read.Run, read.Index, read.Written));
        Assert.Null(BlockEntry.Read(bytes, BlockChains.Model("other"), 4));
        Assert.Null(BlockEntry.Read(bytes, _model, 3));
        for (int at = 0; at < bytes.Length; at++)
        {
            bytes[at] ^= 0x41;
            Assert.Null(BlockEntry.Read(bytes, _model, 4));
            bytes[at] ^= 0x41;
            Assert.Null(BlockEntry.Read(bytes.AsSpan(0, at), _model, 4));
        }
    }

    [Fact]
    public void Pins_that_make_no_sense_are_none()
    {
        Assert.Equal(0, Pins.Read(RawBytes("{\"me\": \"soon\"}")).Count);
        Assert.Equal(0, Pins.Read(RawBytes("null")).Count);
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(Pins.MostSeconds),
            Pins.Read(RawBytes("{\"me\": 9223372036854775807}")).Until(DateTimeOffset.UnixEpoch));
        Assert.Empty(PinnedKeys.Read(RawBytes("12345678x")).Keys);
    }

    static ArraySegment<byte> RawBytes(string text) => Encoding.UTF8.GetBytes(text);
}
