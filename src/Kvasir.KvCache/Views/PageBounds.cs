using System.Runtime.InteropServices;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;

namespace Kvasir.KvCache.Views;

/// <summary>
/// Between which bounds the keys of pages lie, element by element, as attention sees them: what tells how much a row can look at a page,
/// without reading it. For each layer and KV head, four pages together: each element has the range of its values there, cut into four
/// cells, and each key says in two bits in which one it is.
/// <code>
/// sixteen groups: [layer][KV head][group of 64 keys] {
///     [sixteen elements][key] cells, those of element 4 i + b in bits 8 b + 2 i;
///     [element] where its range begins; [element] how wide a cell is, both in half precision }
/// </code>
/// Pages have bounds when all of their group are whole. Layers that attend to a window have none. Grows by sixteen groups; memory is given
/// back as tokens are forgotten.
/// </summary>
public sealed unsafe class PageBounds
{
    /// <summary>Tokens of a page, which is read as a whole: as many as a vector has lanes.</summary>
    public const int PageTokens = 16;

    /// <summary>Pages whose bounds lie together.</summary>
    public const int GroupPages = 4;

    /// <summary>Tokens of such a group.</summary>
    public const int GroupTokens = GroupPages * PageTokens;

    /// <summary>Cells of an element's range.</summary>
    public const int Cells = 4;

    const int Lanes = 16; // elements are padded to so many
    const int Groups = 16; // that lie together

    readonly List<NativeBuffer> _buffers = [];
    readonly int[] _offsets; // of each layer's first head in a group, in bytes
    readonly int[] _firstHead; // of each layer, among all heads; a layer that reads another's has that one's
    readonly int[] _dims; // of each layer's keys
    readonly int[] _bounded; // of each head: groups, from the first, whose bounds are there
    readonly int _groupBytes;

    /// <param name="layout">Shape of the blocks.</param>
    public PageBounds(KvLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        int layers = layout.Layers.Length;
        (_offsets, _firstHead, _dims) = (new int[layers], new int[layers], [.. layout.Layers.Select(layer => layer.KeyDim)]);
        int heads = 0;
        for (int layer = 0; layer < layers; layer++)
        {
            KvLayer shape = layout.Layers[layer];
            (_offsets[layer], _firstHead[layer]) = shape.Producer == layer ? (_groupBytes, heads)
                : (_offsets[shape.Producer], _firstHead[shape.Producer]);
            if (shape.Producer != layer || !IsRead(layout, layer))
                continue;
            heads += shape.KvHeads;
            _groupBytes += shape.KvHeads * HeadBytes(layer);
        }
        _bounded = new int[heads];
    }

    /// <summary>Bytes that they take.</summary>
    public long Bytes => _buffers.Sum(buffer => (long)buffer.Bytes);

    /// <summary>Makes room for the pages of so many tokens. Not while bounds are read or written.</summary>
    public void Reserve(int tokens)
    {
        for (int buffers = BuffersOf(GroupsOf(tokens)); _buffers.Count < buffers;)
        {
            NativeBuffer buffer = new(Groups * _groupBytes);
            buffer.Span.Clear();
            _buffers.Add(buffer);
        }
    }

    /// <summary>How many groups of a head, from the first, have their bounds.</summary>
    public ref int Bounded(int layer, int kvHead) => ref _bounded[_firstHead[layer] + kvHead];

    /// <summary>How many groups of every head have them.</summary>
    internal int LeastBounded => _bounded.Length == 0 ? 0 : _bounded.Min();

    /// <summary>A head's bounds of a group of pages: the cells of its first elements.</summary>
    public uint* CellsOf(int layer, int kvHead, int group) =>
        (uint*)(_buffers[group / Groups].Address + Groups * _offsets[layer] + (kvHead * Groups + group % Groups) * HeadBytes(layer));

    /// <summary>Where the elements' ranges begin, in half precision; 0 for those up to whole vectors.</summary>
    public ushort* Starts(int layer, int kvHead, int group) =>
        (ushort*)(CellsOf(layer, kvHead, group) + Padded(layer) / Lanes * GroupTokens);

    /// <summary>How wide a cell is, likewise.</summary>
    public ushort* Widths(int layer, int kvHead, int group) => Starts(layer, kvHead, group) + Padded(layer);

    /// <summary>Groups whose pages are all whole when so many tokens are there.</summary>
    public static int GroupsOf(int tokens) => tokens / GroupTokens;

    /// <summary>Bytes of a KV head's bounds of a group.</summary>
    public static int BytesOf(int keyDim) => ToLanes(keyDim) / Lanes * GroupTokens * sizeof(uint) + 2 * sizeof(ushort) * ToLanes(keyDim);

    /// <summary>
    /// Forgets the pages that are not whole any more when so many tokens are there, and those that share a group with them.
    /// </summary>
    public void Truncate(int tokens)
    {
        int groups = GroupsOf(tokens);
        foreach (ref int bounded in _bounded.AsSpan())
            bounded = Math.Min(bounded, groups);
        int buffers = BuffersOf(groups);
        if (buffers >= _buffers.Count)
            return;
        foreach (NativeBuffer buffer in CollectionsMarshal.AsSpan(_buffers)[buffers..])
            buffer.Dispose();
        _buffers.RemoveRange(buffers, _buffers.Count - buffers);
    }

    /// <summary>Whether rows of some layer choose among a layer's pages.</summary>
    static bool IsRead(KvLayout layout, int layer) =>
        layout.Layers.Any(reader => reader.Producer == layer && reader.State is LayerState.Full);

    static int BuffersOf(int groups) => (groups + Groups - 1) / Groups;

    int Padded(int layer) => ToLanes(_dims[layer]);

    int HeadBytes(int layer) => BytesOf(_dims[layer]);

    static int ToLanes(int keyDim) => (keyDim + Lanes - 1) / Lanes * Lanes;
}
