using CsCheck;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;

namespace Kvasir.Tests.KvCache;

public class KvLayoutTests
{
    static readonly LayerState s_full = new LayerState.Full();

    /// <summary>Whatever the layers' shapes: rows do not overlap, lie inside the block, and K and V of a layer begin at a cache line.</summary>
    [Fact]
    public void Rows_of_all_layers_tile_the_block() =>
        Gen.Select(Gen.Int[1, 40], Gen.Int[1, 5], Gen.Int[1, 70]).Array[1, 5].Select(Gen.Bool, Gen.Int[1, 33]).Sample((shapes, half, blockTokens) =>
        {
            IKvCodec codec = half ? F16Codec.Instance : F32Codec.Instance;
            var layout = new KvLayout(blockTokens, codec, shapes.Select((shape, layer) => new KvLayer(s_full, shape.Item2, shape.Item3, layer)));
            long end = 0, payload = 0;
            for (int layer = 0; layer < shapes.Length; layer++)
                foreach (Func<int, int, long> offset in (Func<int, int, long>[])[layout.KeyOffset, layout.ValueOffset])
                {
                    Assert.Equal(0, offset(layer, 0) % KvLayout.Alignment);
                    for (int head = 0; head < shapes[layer].Item2; head++)
                    {
                        Assert.True(offset(layer, head) >= end);
                        end = offset(layer, head) + blockTokens * layout.RowBytes(layer);
                        payload += layout.RowBytes(layer);
                    }
                }
            Assert.InRange(layout.BlockBytes, end, end + KvLayout.Alignment - 1);
            Assert.Equal(0, layout.BlockBytes % KvLayout.Alignment);
            Assert.Equal(payload, layout.BytesPerToken);
        }, iter: 500);

    [Fact]
    public void A_layer_that_reads_another_layers_cache_takes_no_memory()
    {
        KvLayer[] layers = [new(s_full, 2, 16, 0), new(new LayerState.Window(8), 2, 16, 0), new(s_full, 2, 16, 2)];
        var layout = new KvLayout(16, F16Codec.Instance, layers);
        Assert.Equal(layout.KeyOffset(0, 1), layout.KeyOffset(1, 1));
        Assert.Equal(layout.ValueOffset(0, 1), layout.ValueOffset(1, 1));
        Assert.Equal(2 * 2 * (2 * 16 * 2), layout.BytesPerToken); // two layers own a cache: K and V of 2 heads of 16 halves
    }

    [Theory]
    [InlineData(1, 2, 16, "producer 1, expected the layer itself or an earlier one")]
    [InlineData(0, 4, 16, "must own a cache of the same shape")]
    [InlineData(0, 2, 0, "must be positive")]
    public void A_producer_that_cannot_be_is_refused(int producer, int kvHeads, int headDim, string message)
    {
        KvLayer[] layers = producer == 1 ? [new(s_full, kvHeads, headDim, producer)] : [new(s_full, 2, 16, 0), new(s_full, kvHeads, headDim, producer)];
        var e = Assert.Throws<ArgumentException>(() => new KvLayout(16, F16Codec.Instance, layers));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Halves_round_to_nearest_even_and_come_back() =>
        Gen.Single[-70000, 70000].Array[1, 20].Sample(row =>
        {
            byte[] stored = new byte[F16Codec.Instance.RowBytes(row.Length)];
            float[] read = new float[row.Length];
            F16Codec.Instance.Encode(row, stored);
            F16Codec.Instance.Decode(stored, read);
            Assert.Equal(row.Select(value => (float)(Half)value), read);
        }, iter: 300);
}
