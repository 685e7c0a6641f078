using System.Collections.Immutable;
using Kvasir.Formats;

namespace Kvasir.Planning.Sizing;

/// <summary>Lays out the layers of a model whose last ones may read the keys and values of earlier ones, as Gemma 3n's do.</summary>
static class LayerSharing
{
    /// <summary>Each of the last <paramref name="shared"/> layers reads the last layer of its own kind before them: sliding from sliding, full from full.</summary>
    /// <param name="shape">Heads and dimensions of every layer.</param>
    /// <param name="windows">The window of each layer.</param>
    /// <param name="shared">Layers at the end without a cache of their own.</param>
    /// <param name="error">The error of a layer that has nothing to read.</param>
    public static ImmutableArray<AttentionSpec> Lay(AttentionSpec shape, ImmutableArray<int?> windows, int shared, Func<int, string, ModelFormatException> error)
    {
        int own = windows.Length - shared;
        return [.. windows.Select((window, layer) => shape with { Window = window, Producer = layer < own ? layer : Producer(layer) })];

        int Producer(int layer) => windows.AsSpan()[..own].LastIndexOf(windows[layer]) is >= 0 and int producer
            ? producer
            : throw error(layer, windows[layer] is null ? "attends to everything and has no such layer to read from" : "slides and has no such layer to read from");
    }
}
