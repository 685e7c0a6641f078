using System.Collections.Immutable;
using Kvasir.Formats.Gguf;

namespace Kvasir.Formats.Models;

/// <summary>Which layer's keys and values each layer reads.</summary>
static class LayerSharing
{
    /// <summary>
    /// As Gemma 3n has it: each of the last <paramref name="shared"/> layers reads the last layer of its own kind before them, sliding from
    /// sliding, full from full.
    /// </summary>
    /// <param name="windows">The window of each layer.</param>
    /// <param name="shared">Layers at the end without a cache of their own.</param>
    /// <param name="error">The error of a layer that has nothing to read.</param>
    public static ImmutableArray<int> AtTheEnd(ImmutableArray<int?> windows, int shared, Func<int, string, ModelFormatException> error)
    {
        int own = windows.Length - shared;
        return [.. Enumerable.Range(0, windows.Length).Select(layer => layer < own ? layer : Producer(layer))];

        int Producer(int layer) => windows.AsSpan()[..own].LastIndexOf(windows[layer]) is >= 0 and int producer
            ? producer
            : throw error(layer, windows[layer] is null
                ? "attends to everything and has no such layer to read from"
                : "slides and has no such layer to read from");
    }

    /// <summary>As a list in the file has it; the key is ours. Null without the key.</summary>
    /// <exception cref="ModelFormatException">The list has another length, or names a layer that cannot be read.</exception>
    public static ImmutableArray<int>? Listed(GgufMetadata metadata, string key, ImmutableArray<int?> windows)
    {
        if (!metadata.TryGetInt32s(key, out ImmutableArray<int> producers))
            return null;
        if (producers.Length != windows.Length)
            throw metadata.Invalid(key, $"{producers.Length} numbers", $"{windows.Length}, one for each layer");
        for (int layer = 0; layer < producers.Length; layer++)
            if (producers[layer] is var producer
                && (producer < 0 || producer > layer || producers[producer] != producer || windows[producer] != windows[layer]))
                throw metadata.Invalid(
                    $"{key}[{layer}]", $"{producer}", "the layer itself, or an earlier one of the same window that has its own");
        return producers;
    }
}
