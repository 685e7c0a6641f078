using System.Collections.Immutable;
using Kvasir.Formats.Models;

namespace Kvasir.Planning.Sizing;

/// <summary>
/// Bytes of a model's KV cache on one device: <c>Σ n_l · KvHeads_l · (K dim + V dim) · bytes</c> over the layers that own a cache, where
/// <c>n_l</c> are the tokens, or those of the layer's window. A latent (MLA) has one head and no V.
/// </summary>
public sealed class KvSize
{
    /// <summary>Tokens of a block of Kvasir's engine.</summary>
    public const int BlockTokens = 16;

    const int CacheLine = 64, Page = 4096;
    const int LlamaCppBatch = 512, LlamaCppCells = 256;

    readonly long[] _tokenBytes; // of each layer, shared or not

    /// <summary>Where keys and values are stored alike.</summary>
    public KvSize(ModelSpec spec, ElementType type, int devices = 1) : this(spec, new KvTypes(type), devices) { }

    /// <param name="spec">The model.</param>
    /// <param name="types">How elements are stored.</param>
    /// <param name="devices">Devices over which tensor parallelism spreads the heads.</param>
    /// <exception cref="ArgumentException">Rows are not made of whole groups, heads do not divide among the devices, or there are
    /// more bytes than 2^63.</exception>
    public KvSize(ModelSpec spec, KvTypes types, int devices = 1)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(types);
        (Spec, Types) = (spec, types);
        Layers = [.. spec.Layers.Select(layer =>
            layer.Attention is { } whole ? whole with { KvHeads = TensorParallel.HeadsPerDevice(whole, devices) } : null)];
        _tokenBytes = [.. Layers.Select(layer =>
            layer is null ? 0 : layer.KvHeads * (types.Keys.RowBytes(layer.KeyDim) + types.Values.RowBytes(layer.ValueDim)))];
        StateBytes = spec.Layers.Sum(layer => checked(layer.StateElements * sizeof(float)));
        PerToken = Owners.Sum(layer => _tokenBytes[layer]);
        WholeBlockBytes = BlockOf(Owners);
        int window = Owners.Max(layer => Layers[layer]!.Window) ?? 0;
        bool isApart = window > 0 && window < spec.Context && Owners.Any(IsWindowed);
        BlockBytes = isApart ? BlockOf(Owners.Where(layer => !IsWindowed(layer))) : WholeBlockBytes;
        (WindowBlockBytes, WindowBlocks) = isApart
            ? (BlockOf(Owners.Where(IsWindowed)), (window + BlockTokens - 1) / BlockTokens + 1) : (0, 0);
    }

    /// <summary>The model.</summary>
    public ModelSpec Spec { get; }

    /// <summary>How elements are stored.</summary>
    public KvTypes Types { get; }

    /// <summary>Attention of each layer with the KV heads that one device has; null where a layer has none.</summary>
    public ImmutableArray<AttentionSpec?> Layers { get; }

    /// <summary>Bytes of the states that layers carry along, for each sequence and whatever its length: floats, on every device.</summary>
    public long StateBytes { get; }

    /// <summary>Bytes of a token that every layer keeps: of each of the first tokens of a sequence.</summary>
    public long PerToken { get; }

    /// <summary>Bytes of an element, keys and values together; 0 where nothing is kept.</summary>
    public double BytesPerElement => PerToken / Math.Max(1, (double)Owners.Sum(layer =>
        (long)Layers[layer]!.KvHeads * (Layers[layer]!.KeyDim + Layers[layer]!.ValueDim)));

    /// <summary>Bytes that one more token takes once all windows are full.</summary>
    public long PerTokenBeyondWindows => Owners.Sum(layer => Layers[layer]!.Window is null ? _tokenBytes[layer] : 0);

    /// <summary>
    /// Bytes of a block of Kvasir's pool: 16 tokens of all layers that own a cache, K and V of each from a cache line on, the whole in
    /// pages. Without the layers with windows, where the model has some that are shorter than its context: those have blocks of their own.
    /// </summary>
    public long BlockBytes { get; }

    /// <summary>Bytes of a block of the layers with windows, where they have their own; else 0.</summary>
    public long WindowBlockBytes { get; }

    /// <summary>Blocks of theirs that a sequence holds at most: a window lies in so many. 0 where they have none.</summary>
    public int WindowBlocks { get; }

    /// <summary>Bytes of a block of all layers: those of which views are made.</summary>
    public long WholeBlockBytes { get; }

    IEnumerable<int> Owners => Enumerable.Range(0, Layers.Length).Where(layer => Layers[layer]?.Producer == layer);

    /// <summary>Bytes of a token in one layer.</summary>
    public long TokenBytes(int layer) => _tokenBytes[layer];

    /// <summary>Bytes of a sequence, states included.</summary>
    public long Bytes(long tokens) =>
        Guarded(() => Owners.Aggregate(StateBytes, (sum, layer) => checked(sum + Kept(layer, tokens) * _tokenBytes[layer])));

    /// <summary>Bytes that one decoding step reads: a layer that reads another's cache reads it again.</summary>
    public long ReadBytes(long tokens) => Guarded(() => Enumerable.Range(0, Layers.Length)
        .Aggregate(StateBytes, (sum, layer) => checked(sum + Kept(layer, tokens) * _tokenBytes[layer])));

    /// <summary>Keys of a sequence: those of all heads and layers that own a cache.</summary>
    public long Rows(long tokens) => Owners.Sum(layer => Kept(layer, tokens) * Layers[layer]!.KvHeads);

    /// <summary>Bytes of a sequence in blocks of Kvasir's pool and tiers: of layers with windows those that a window lies in.</summary>
    public long AllocatedBytes(long tokens) => Guarded(() =>
        checked(Blocks(tokens) * BlockBytes + Math.Min(Blocks(tokens), WindowBlocks) * WindowBlockBytes));

    /// <summary>The same in blocks of all layers.</summary>
    public long WholeBytes(long tokens) => Guarded(() => checked(Blocks(tokens) * WholeBlockBytes));

    static long Blocks(long tokens) => (tokens + BlockTokens - 1) / BlockTokens;

    long BlockOf(IEnumerable<int> layers) => WholePages(Math.Max(CacheLine, layers.Sum(layer =>
        Aligned(layer, Types.Keys.RowBytes(Layers[layer]!.KeyDim)) + Aligned(layer, Types.Values.RowBytes(Layers[layer]!.ValueDim)))));

    /// <summary>Whether nobody reads a layer's keys and values but through a window.</summary>
    bool IsWindowed(int owner) => Layers.All(layer => layer?.Producer != owner || layer.Window is not null);

    /// <summary>
    /// Bytes that llama.cpp allocates for one sequence: cells in multiples of 256, and of sliding layers the window and one batch of 512
    /// tokens (<c>llama_kv_cache_iswa</c> of <see href="https://github.com/ggml-org/llama.cpp"/>, without <c>--swa-full</c>).
    /// </summary>
    public long LlamaCppBytes(long tokens) => Guarded(() => Owners.Aggregate(StateBytes, (sum, layer) =>
        checked(sum + Cells(Math.Min(tokens, (long?)Layers[layer]!.Window + LlamaCppBatch ?? tokens)) * _tokenBytes[layer])));

    long Kept(int layer, long tokens) => Math.Min(tokens, Layers[layer]?.Window ?? tokens);

    static long Cells(long tokens) => (tokens + LlamaCppCells - 1) / LlamaCppCells * LlamaCppCells;

    static long WholePages(long bytes) => (bytes + Page - 1) / Page * Page;

    long Aligned(int layer, long rowBytes) => (BlockTokens * Layers[layer]!.KvHeads * rowBytes + CacheLine - 1) / CacheLine * CacheLine;

    long Guarded(Func<long> bytes)
    {
        try
        {
            return bytes();
        }
        catch (OverflowException e)
        {
            throw new ArgumentException($"{Formats.Printable.Line(Spec.Name)}: keys and values of 8 EiB or more", e);
        }
    }
}
