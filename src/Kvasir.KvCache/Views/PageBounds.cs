using System.Runtime.InteropServices;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;

namespace Kvasir.KvCache.Views;

/// <summary>
/// Between which bounds the keys of each page lie, element by element, as attention sees them: what tells how much a row can look at a
/// page, without reading it. A page has several spans with bounds of their own, since those of many keys are loose. For each layer and KV
/// head, sixteen spans together, so that vectors hold spans; an element's bounds are steps of the range that all of them span, four bits
/// each, rounded outwards:
/// <code>
/// group of sixteen spans: [layer][KV head] { [element of the key][span] least in the low four bits, greatest in the high ones;
///                                            [element] where the range begins; [element] its step, both in half precision }
/// </code>
/// Pages have bounds when all of their group are whole. Layers that attend to a window have none. Grows by groups; memory is given back as
/// tokens are forgotten.
/// </summary>
public sealed unsafe class PageBounds
{
    /// <summary>Tokens of a page, which is read as a whole: as many as a vector has lanes.</summary>
    public const int PageTokens = 16;

    /// <summary>Tokens that have bounds of their own.</summary>
    public const int SpanTokens = 4;

    /// <summary>Spans of a page.</summary>
    public const int Spans = PageTokens / SpanTokens;

    /// <summary>Spans that lie side by side.</summary>
    public const int Group = 16;

    /// <summary>Pages of a group.</summary>
    public const int GroupPages = Group / Spans;

    /// <summary>The last step of an element's range.</summary>
    public const int LastStep = 15;

    readonly List<NativeBuffer> _groups = [];
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
    public long Bytes => _groups.Sum(group => (long)group.Bytes);

    /// <summary>Makes room for the pages of so many tokens. Not while bounds are read or written.</summary>
    public void Reserve(int tokens)
    {
        for (int groups = GroupsOf(tokens); _groups.Count < groups;)
        {
            NativeBuffer group = new(_groupBytes);
            group.Span.Clear();
            _groups.Add(group);
        }
    }

    /// <summary>How many groups of a head, from the first, have their bounds.</summary>
    public ref int Bounded(int layer, int kvHead) => ref _bounded[_firstHead[layer] + kvHead];

    /// <summary>How many groups of every head have them.</summary>
    public int LeastBounded => _bounded.Length == 0 ? 0 : _bounded.Min();

    /// <summary>A head's bounds of a group of spans: the steps of its first element.</summary>
    public byte* Steps(int layer, int kvHead, int group) => _groups[group].Address + _offsets[layer] + kvHead * HeadBytes(layer);

    /// <summary>Where the elements' ranges begin, in half precision; 0 for those up to whole vectors.</summary>
    public ushort* Starts(int layer, int kvHead, int group) => (ushort*)(Steps(layer, kvHead, group) + _dims[layer] * Group);

    /// <summary>How wide a step is, likewise.</summary>
    public ushort* Widths(int layer, int kvHead, int group) => Starts(layer, kvHead, group) + Padded(layer);

    /// <summary>Groups whose pages are all whole when so many tokens are there.</summary>
    public static int GroupsOf(int tokens) => tokens / (PageTokens * GroupPages);

    /// <summary>Forgets the pages that are not whole any more when so many tokens are there, and those that share a group with them.</summary>
    public void Truncate(int tokens)
    {
        int groups = GroupsOf(tokens);
        foreach (ref int bounded in _bounded.AsSpan())
            bounded = Math.Min(bounded, groups);
        if (groups >= _groups.Count)
            return;
        foreach (NativeBuffer group in CollectionsMarshal.AsSpan(_groups)[groups..])
            group.Dispose();
        _groups.RemoveRange(groups, _groups.Count - groups);
    }

    /// <summary>Whether rows of some layer choose among a layer's pages.</summary>
    static bool IsRead(KvLayout layout, int layer) =>
        layout.Layers.Any(reader => reader.Producer == layer && reader.State is LayerState.Full);

    int Padded(int layer) => (_dims[layer] + Group - 1) / Group * Group;

    int HeadBytes(int layer) => _dims[layer] * Group + 2 * sizeof(ushort) * Padded(layer);
}
