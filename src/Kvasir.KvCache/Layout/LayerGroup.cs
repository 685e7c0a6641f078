using System.Collections.Immutable;

namespace Kvasir.KvCache.Layout;

/// <summary>
/// Consecutive layers whose keys and values move between tiers in one transfer: the unit in which a block becomes readable.
/// </summary>
/// <param name="FirstLayer">The first layer.</param>
/// <param name="EndLayer">The layer after the last.</param>
/// <param name="Offset">First byte in a block, a multiple of <see cref="KvLayout.PageBytes"/>.</param>
/// <param name="Bytes">Bytes of the group; the last group's end is the block's.</param>
public readonly record struct LayerGroup(int FirstLayer, int EndLayer, long Offset, long Bytes)
{
    /// <summary>
    /// Cuts a block into groups of at least <paramref name="leastBytes"/>: small ones would be read more slowly than a disk can. A group
    /// begins at a page, as direct I/O wants it; where no layer does, the block is one group.
    /// </summary>
    public static ImmutableArray<LayerGroup> Of(KvLayout layout, long leastBytes)
    {
        ArgumentNullException.ThrowIfNull(layout);
        var groups = ImmutableArray.CreateBuilder<LayerGroup>();
        int first = 0;
        long offset = 0;
        for (int layer = 1; layer < layout.Layers.Length; layer++)
        {
            long start = layout.KeyOffset(layer, 0);
            bool owns = layout.Layers[layer].Producer == layer; // the others' offsets lie in earlier groups
            if (!owns || start % KvLayout.PageBytes != 0 || start - offset < leastBytes || layout.BlockBytes - start < leastBytes)
                continue;
            groups.Add(new LayerGroup(first, layer, offset, start - offset));
            (first, offset) = (layer, start);
        }
        groups.Add(new LayerGroup(first, layout.Layers.Length, offset, layout.BlockBytes - offset));
        return groups.ToImmutable();
    }
}
