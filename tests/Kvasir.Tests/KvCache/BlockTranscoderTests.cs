using CsCheck;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.Tests.Fixtures;

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
        Gen.Select(s_layers, Gen.Int[1, 5], Gen.Select(s_names, s_names), Gen.Select(s_names, s_names), Gen.Int).Sample(
            (layers, tokens, fromNames, toNames, seed) =>
        {
            KvLayout from = Layout(tokens, fromNames, layers), to = Layout(tokens, toNames, layers);
            byte[] source = new byte[from.BlockBytes],
                destination = [.. Enumerable.Repeat(Untouched, (int)to.BlockBytes)], expected = [.. destination];
            Fill(from, source, new Random(seed));
            foreach ((StoredRow row, StoredRow copy) in Rows(from).Zip(Rows(to)))
                Convert(row, source, copy, expected);
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

    static KvLayout Layout(int tokens, string codec, params KvLayer[] layers) => Layout(tokens, (codec, codec), layers);

    static KvLayout Layout(int tokens, (string Keys, string Values) codecs, params KvLayer[] layers) =>
        new(tokens, StoredAs.Codec(codecs.Keys), StoredAs.Codec(codecs.Values), layers);

    /// <summary>All rows by the addresses that attention uses: those of a layer that reads another's are the other's.</summary>
    static IEnumerable<StoredRow> Rows(KvLayout layout)
    {
        for (int layer = 0; layer < layout.Layers.Length; layer++)
            for (int head = 0; head < layout.Layers[layer].KvHeads; head++)
                for (int token = 0; token < layout.BlockTokens; token++)
                {
                    yield return new(layout.KeyCodec, (int)layout.KeyOffset(layer, head) + token * layout.KeyRowBytes(layer),
                        layout.Layers[layer].KeyDim);
                    yield return new(layout.ValueCodec, (int)layout.ValueOffset(layer, head) + token * layout.ValueRowBytes(layer),
                        layout.Layers[layer].ValueDim);
                }
    }

    static void Fill(KvLayout layout, byte[] block, Random random)
    {
        foreach (StoredRow row in Rows(layout))
            row.Codec.Encode([.. Enumerable.Range(0, row.Elements).Select(_ => random.NextSingle() * 8 - 4)], block.AsSpan(row.At));
    }

    static void Convert(StoredRow from, byte[] source, StoredRow to, byte[] destination)
    {
        float[] row = new float[from.Elements];
        from.Codec.Decode(source.AsSpan(from.At), row);
        to.Codec.Encode(row, destination.AsSpan(to.At));
    }

    readonly record struct StoredRow(IKvCodec Codec, int At, int Elements);
}
