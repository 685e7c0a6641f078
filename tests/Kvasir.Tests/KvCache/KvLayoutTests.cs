using CsCheck;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;

namespace Kvasir.Tests.KvCache;

public class KvLayoutTests
{
    static readonly LayerState s_full = new LayerState.Full();

    /// <summary>
    /// Whatever the layers' shapes: rows do not overlap, lie inside the block, and K and V of a layer begin at a cache line.
    /// </summary>
    [Fact]
    public void Rows_of_all_layers_tile_the_block() =>
        Gen.Select(Gen.Int[1, 5], Gen.Int[1, 70], Gen.Int[0, 70]).Array[1, 5].Select(Gen.Bool, Gen.Int[1, 33]).Sample(
            (shapes, half, blockTokens) =>
        {
            IKvCodec codec = half ? F16Codec.Instance : F32Codec.Instance;
            var layout = new KvLayout(
                blockTokens, codec, shapes.Select((shape, layer) => new KvLayer(s_full, shape.Item1, shape.Item2, shape.Item3, layer)));
            long end = 0, payload = 0;
            for (int layer = 0; layer < shapes.Length; layer++)
                foreach ((Func<int, int, long> offset, int rowBytes) in ((Func<int, int, long>, int)[])
                    [(layout.KeyOffset, layout.KeyRowBytes(layer)), (layout.ValueOffset, layout.ValueRowBytes(layer))])
                {
                    Assert.Equal(0, offset(layer, 0) % KvLayout.Alignment);
                    for (int head = 0; head < shapes[layer].Item1; head++)
                    {
                        Assert.True(offset(layer, head) >= end);
                        end = offset(layer, head) + blockTokens * rowBytes;
                        payload += rowBytes;
                    }
                }
            Assert.InRange(layout.BlockBytes, end, end + KvLayout.Alignment - 1);
            Assert.Equal(0, layout.BlockBytes % KvLayout.Alignment);
            Assert.Equal(payload, layout.BytesPerToken);
        }, iter: 500);

    /// <summary>Two heads of 24 halves in blocks of 16, then one of 40: what has been written to disks lies so.</summary>
    [Fact]
    public void Where_keys_and_values_of_one_width_lie_is_fixed()
    {
        KvLayer[] layers = [new(s_full, 2, 24, 0), new(s_full, 1, 40, 1), new(new LayerState.Window(8), 2, 24, 0)];
        var layout = new KvLayout(16, F16Codec.Instance, layers);
        (int Layer, int Head)[] heads = [(0, 0), (0, 1), (1, 0), (2, 0)];
        Assert.Equal([0, 768, 3072, 0], heads.Select(each => layout.KeyOffset(each.Layer, each.Head)));
        Assert.Equal([1536, 2304, 4352, 1536], heads.Select(each => layout.ValueOffset(each.Layer, each.Head)));
        Assert.Equal((5632, 8192, 352), (layout.BlockBytes, layout.StrideBytes, layout.BytesPerToken));
    }

    [Fact]
    public void A_latent_that_is_key_and_value_takes_room_once()
    {
        var layout = new KvLayout(16, F16Codec.Instance, [new(s_full, 1, 576, 0, 0), new(s_full, 1, 576, 0, 1)]);
        Assert.Equal((2 * 576 * 2, 2 * 576 * 2 * 16), (layout.BytesPerToken, layout.BlockBytes));
        Assert.Equal(576 * 2 * 16, layout.KeyOffset(1, 0));
    }

    [Fact]
    public void A_state_is_refused_by_name_since_blocks_hold_rows_for_tokens()
    {
        KvLayer[] layers = [new(s_full, 2, 16, 0), new(new LayerState.Recurrent(4096), 0, 0, 0, 1)];
        string message = Assert.Throws<ArgumentException>(() => new KvLayout(16, F16Codec.Instance, layers)).Message;
        Assert.Contains("layer 1: a state of 4096 bytes, expected keys and values", message, StringComparison.Ordinal);
    }

    /// <summary>From a token on, and nothing else.</summary>
    [Fact]
    public void Rows_from_a_token_on_are_those_of_keys_and_values_of_any_width() =>
        Gen.Select(Gen.Int[1, 3], Gen.Int[1, 20], Gen.Int[0, 20], Gen.Int[0, 16]).Sample((heads, keyDim, valueDim, from) =>
        {
            var layout = new KvLayout(16, F32Codec.Instance, [new(s_full, heads, keyDim, valueDim, 0)]);
            byte[] block = [.. Enumerable.Repeat((byte)1, (int)layout.BlockBytes)];
            foreach ((long offset, long bytes) in layout.RowsFrom(from))
                block.AsSpan((int)offset, (int)bytes).Clear();
            Assert.Equal((16 - from) * layout.BytesPerToken, block.Count(value => value == 0));
            int rowBytes = layout.KeyRowBytes(0);
            for (int head = 0; head < heads; head++)
                Assert.All(block.Skip((int)layout.KeyOffset(0, head)).Take(16 * rowBytes).Index(),
                    each => Assert.Equal(each.Index / rowBytes < from, each.Item == 1));
        }, iter: 200);

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
    [InlineData(0, 2, 8, "must own a cache of the same shape")]
    public void A_producer_that_cannot_be_is_refused(int producer, int kvHeads, int headDim, string message)
    {
        KvLayer[] layers = producer == 1
            ? [new(s_full, kvHeads, headDim, producer)]
            : [new(s_full, 2, 16, 0), new(s_full, kvHeads, headDim, producer)];
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
