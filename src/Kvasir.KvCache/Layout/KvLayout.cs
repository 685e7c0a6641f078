using System.Collections.Immutable;
using Kvasir.KvCache.Codecs;

namespace Kvasir.KvCache.Layout;

/// <summary>
/// Where each key and value lies inside a block: <c>[layer][K|V][kvHead][token][key or value dim]</c>, contiguous, each layer's K and V
/// aligned to 64 bytes. A block is thus one I/O, one layer of it is addressable, and one head's keys are contiguous for the attention
/// kernel. Layers may differ in shape, and layers that read another layer's cache take no room.
/// </summary>
public sealed class KvLayout
{
    /// <summary>Alignment in bytes of a block and of each layer's K and V in it: a cache line, and the widest vector.</summary>
    public const int Alignment = 64;

    /// <summary>Alignment in bytes that direct I/O wants of memory, offsets and lengths.</summary>
    public const int PageBytes = 4096;

    readonly long[] _keyOffsets;
    readonly long[] _valueOffsets;

    /// <summary>Where keys and values are stored alike.</summary>
    public KvLayout(int blockTokens, IKvCodec codec, IEnumerable<KvLayer> layers) : this(blockTokens, codec, codec, layers) { }

    /// <param name="blockTokens">Tokens per block; at least 1.</param>
    /// <param name="keys">How a head's key is stored.</param>
    /// <param name="values">How a head's value is stored.</param>
    /// <param name="layers">The model's layers in order.</param>
    /// <exception cref="ArgumentException">
    /// A shape is not positive or none that its codec can store, a producer is not an earlier layer of the same shape that owns its cache,
    /// or a layer keeps a state that is no keys and values.
    /// </exception>
    public KvLayout(int blockTokens, IKvCodec keys, IKvCodec values, IEnumerable<KvLayer> layers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blockTokens, 1);
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(values);
        ArgumentNullException.ThrowIfNull(layers);
        (BlockTokens, KeyCodec, ValueCodec, Layers) = (blockTokens, keys, values, [.. layers]);
        _keyOffsets = new long[Layers.Length];
        _valueOffsets = new long[Layers.Length];
        for (int layer = 0; layer < Layers.Length; layer++)
            Place(layer);
        BlockBytes = Math.Max(BlockBytes, Alignment); // of which all layers are elsewhere
    }

    KvLayout(KvLayout whole, IEnumerable<KvLayer> layers, KvLayout windowed)
        : this(whole.BlockTokens, whole.KeyCodec, whole.ValueCodec, layers) => Windowed = windowed;

    /// <summary>Tokens per block.</summary>
    public int BlockTokens { get; }

    /// <summary>How a head's key is stored.</summary>
    public IKvCodec KeyCodec { get; }

    /// <summary>How a head's value is stored.</summary>
    public IKvCodec ValueCodec { get; }

    /// <summary>What both are called: <c>f16</c>, or <c>q8_0/q4_0</c> where keys and values differ.</summary>
    public string CodecName => KeyCodec.Name == ValueCodec.Name ? KeyCodec.Name : $"{KeyCodec.Name}/{ValueCodec.Name}";

    /// <summary>The model's layers in order.</summary>
    public ImmutableArray<KvLayer> Layers { get; }

    /// <summary>
    /// The layout of the layers with windows, which keep a window's tokens in blocks of their own and have no room in this layout's; null
    /// where blocks hold all layers.
    /// </summary>
    public KvLayout? Windowed { get; }

    /// <summary>Tokens of the longest window; 0 without windows.</summary>
    public int LongestWindow => Layers.Max(layer => layer.State is LayerState.Window window ? window.Tokens : 0);

    /// <summary>Bytes of one block, a multiple of <see cref="Alignment"/>.</summary>
    public long BlockBytes { get; private set; }

    /// <summary>Bytes from one block in memory to the next: whole pages, so that a disk can be read into a block in place.</summary>
    public long StrideBytes => (BlockBytes + PageBytes - 1) / PageBytes * PageBytes;

    /// <summary>Bytes that one token adds over all layers, alignment not counted.</summary>
    public long BytesPerToken { get; private set; }

    /// <summary>Bytes of one head's key of one token.</summary>
    public int KeyRowBytes(int layer) => KeyCodec.RowBytes(Layers[layer].KeyDim);

    /// <summary>Bytes of one head's value of one token.</summary>
    public int ValueRowBytes(int layer) => ValueCodec.RowBytes(Layers[layer].ValueDim);

    /// <summary>Offset in a block of the key of token 0 of a head; token <c>t</c> follows <c>t * KeyRowBytes(layer)</c> later.</summary>
    public long KeyOffset(int layer, int kvHead) => _keyOffsets[layer] + HeadOffset(kvHead, KeyRowBytes(layer));

    /// <summary>
    /// Offset in a block of the value of token 0 of a head; token <c>t</c> follows <c>t * ValueRowBytes(layer)</c> later.
    /// </summary>
    public long ValueOffset(int layer, int kvHead) => _valueOffsets[layer] + HeadOffset(kvHead, ValueRowBytes(layer));

    /// <summary>Blocks that hold <paramref name="tokens"/> tokens.</summary>
    public int BlocksFor(int tokens) => (int)(((long)tokens + BlockTokens - 1) / BlockTokens);

    /// <summary>Where the keys and values from a token of a block on lie, in all layers: offsets and lengths in bytes.</summary>
    /// <param name="from">The first token of the block.</param>
    public IEnumerable<(long Offset, long Bytes)> RowsFrom(int from)
    {
        for (int layer = 0; layer < Layers.Length; layer++)
            for (int head = 0; head < Layers[layer].KvHeads && Layers[layer].Producer == layer; head++)
            {
                yield return (KeyOffset(layer, head) + from * KeyRowBytes(layer), (BlockTokens - from) * KeyRowBytes(layer));
                yield return (ValueOffset(layer, head) + from * ValueRowBytes(layer), (BlockTokens - from) * ValueRowBytes(layer));
            }
    }

    /// <summary>Whether a layer's keys and values, its own or those of its producer, lie in this layout's blocks.</summary>
    public bool Holds(int layer) => Layers[layer].State is not LayerState.Elsewhere;

    /// <summary>
    /// The same with the layers with windows apart, in <see cref="Windowed"/>: a layer that others read without a window stays. The same
    /// layout when there is nothing to part.
    /// </summary>
    public KvLayout WithWindowsApart()
    {
        bool[] isWindowed = [.. Layers.Select((_, producer) =>
            Layers.All(layer => layer.Producer != producer || layer.State is LayerState.Window))];
        KvLayer[] Part(bool windowed) => [.. Layers.Select((layer, index) => isWindowed[layer.Producer] == windowed ? layer
            : new KvLayer(new LayerState.Elsewhere(), 0, layer.KeyDim, layer.ValueDim, index))];
        return !Layers.Any(layer => isWindowed[layer.Producer]) ? this
            : new KvLayout(this, Part(windowed: false), new KvLayout(BlockTokens, KeyCodec, ValueCodec, Part(windowed: true)));
    }

    long HeadOffset(int kvHead, int rowBytes) => (long)kvHead * BlockTokens * rowBytes;

    void Place(int layer)
    {
        KvLayer shape = Layers[layer];
        Validate(layer, shape);
        if (shape.Producer != layer)
        {
            (_keyOffsets[layer], _valueOffsets[layer]) = (_keyOffsets[shape.Producer], _valueOffsets[shape.Producer]);
            return;
        }
        _keyOffsets[layer] = Append(shape.KvHeads, KeyRowBytes(layer));
        _valueOffsets[layer] = Append(shape.KvHeads, ValueRowBytes(layer));
        BytesPerToken += (long)shape.KvHeads * (KeyRowBytes(layer) + ValueRowBytes(layer));
    }

    long Append(int kvHeads, int rowBytes)
    {
        long offset = BlockBytes;
        long bytes = checked(HeadOffset(kvHeads, rowBytes));
        BlockBytes = checked(offset + (bytes + Alignment - 1) / Alignment * Alignment);
        return offset;
    }

    void Validate(int layer, KvLayer shape)
    {
        if (shape.State is LayerState.Recurrent state)
            throw new ArgumentException(
                $"layer {layer}: a state of {state.Bytes} bytes, expected keys and values: blocks hold rows for tokens only");
        if (shape is { State: LayerState.Elsewhere, KvHeads: 0 } && shape.Producer == layer)
            return;
        if (shape.KvHeads < 1 || shape.KeyDim < 1 || shape.ValueDim < 0 || shape.State is LayerState.Window { Tokens: < 1 })
            throw new ArgumentException($"layer {layer}: KV heads {shape.KvHeads}, key dim {shape.KeyDim}, value dim {shape.ValueDim}, "
                + $"state {shape.State}: all must be positive");
        if (shape.Producer < 0 || shape.Producer > layer)
            throw new ArgumentException($"layer {layer}: producer {shape.Producer}, expected the layer itself or an earlier one");
        KvLayer producer = Layers[shape.Producer];
        if (producer.Producer != shape.Producer
            || (producer.KvHeads, producer.KeyDim, producer.ValueDim) != (shape.KvHeads, shape.KeyDim, shape.ValueDim))
            throw new ArgumentException($"layer {layer}: producer {shape.Producer} must own a cache of the same shape");
    }
}
