using CsCheck;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;

namespace Kvasir.Tests.KvCache;

public unsafe class BlockTranscoderTests
{
    const byte Untouched = 0xA5;

    static readonly Gen<string> s_names = Gen.Int[0, KvCodecs.Names.Count() - 1].Select(KvCodecs.Names.ElementAt);

    /// <summary>Layers of several shapes, some of which read the cache of an earlier one.</summary>
    static readonly Gen<KvLayer[]> s_layers = Gen.Select(Gen.Int[1, 3], Gen.Int[1, 3], Gen.Int[0, 3], Gen.Int[0, 5]).Array[1, 6].Select(
        shapes =>
    {
        var layers = new List<KvLayer>();
        foreach ((int heads, int keyGroups, int valueGroups, int producer) in shapes)
            if (producer < layers.Count && layers[producer].Producer == producer)
                layers.Add(layers[producer] with { State = new LayerState.Window(8) });
            else
                layers.Add(new KvLayer(new LayerState.Full(), heads, 32 * keyGroups, 32 * valueGroups, layers.Count));
        return layers.ToArray();
    });

    /// <summary>
    /// Every row of every layer arrives where the other layout has it, encoded as the codec does it alone; nothing else is written.
    /// </summary>
    [Fact]
    public void Every_row_arrives_at_its_place_and_nothing_else_is_touched() =>
        Gen.Select(s_layers, Gen.Int[1, 5], s_names, s_names, Gen.Int).Sample((layers, tokens, fromName, toName, seed) =>
        {
            KvLayout from = Layout(tokens, fromName, layers), to = Layout(tokens, toName, layers);
            byte[] source = new byte[from.BlockBytes],
                destination = [.. Enumerable.Repeat(Untouched, (int)to.BlockBytes)], expected = [.. destination];
            Fill(from, source, new Random(seed));
            foreach ((long sourceAt, long destinationAt, int elements) in Rows(from, to))
                Convert(from, source.AsSpan((int)sourceAt), to, expected.AsSpan((int)destinationAt), elements);
            fixed (byte* first = source, second = destination)
                BlockTranscoder.Transcode(from, first, to, second);
            Assert.Equal(expected, destination);
        }, iter: 300);

    [Fact]
    public void Layouts_that_differ_in_more_than_the_codec_are_refused()
    {
        KvLayer layer = new(new LayerState.Full(), 2, 32, 0);
        KvLayout layout = Layout(16, "f16", layer);
        byte* none = null;
        KvLayout[] others =
        [
            Layout(8, "q8_0", layer), Layout(16, "q8_0", layer with { KeyDim = 64 }), Layout(16, "q8_0", layer with { ValueDim = 64 }),
            Layout(16, "q8_0", layer, layer with { Producer = 1 }),
        ];
        foreach (KvLayout other in others)
            Assert.Throws<ArgumentException>(() => BlockTranscoder.Transcode(layout, none, other, none));
    }

    static KvLayout Layout(int tokens, string codec, params KvLayer[] layers) =>
        new(tokens, KvCodecs.TryParse(codec, out IKvCodec? known) ? known : throw new ArgumentException(codec), layers);

    /// <summary>All rows by the addresses that attention uses: those of a layer that reads another's are the other's.</summary>
    static IEnumerable<(long Source, long Destination, int Elements)> Rows(KvLayout from, KvLayout to)
    {
        for (int layer = 0; layer < from.Layers.Length; layer++)
            for (int head = 0; head < from.Layers[layer].KvHeads; head++)
                for (int token = 0; token < from.BlockTokens; token++)
                {
                    yield return (Key(from, layer, head, token), Key(to, layer, head, token), from.Layers[layer].KeyDim);
                    yield return (Value(from, layer, head, token), Value(to, layer, head, token), from.Layers[layer].ValueDim);
                }
    }

    static long Key(KvLayout layout, int layer, int head, int token) => layout.KeyOffset(layer, head) + token * layout.KeyRowBytes(layer);

    static long Value(KvLayout layout, int layer, int head, int token) =>
        layout.ValueOffset(layer, head) + token * layout.ValueRowBytes(layer);

    static void Fill(KvLayout layout, byte[] block, Random random)
    {
        foreach ((long at, _, int elements) in Rows(layout, layout))
            layout.Codec.Encode([.. Enumerable.Range(0, elements).Select(_ => random.NextSingle() * 8 - 4)], block.AsSpan((int)at));
    }

    static void Convert(KvLayout from, ReadOnlySpan<byte> source, KvLayout to, Span<byte> destination, int elements)
    {
        float[] row = new float[elements];
        from.Codec.Decode(source, row);
        to.Codec.Encode(row, destination);
    }
}
