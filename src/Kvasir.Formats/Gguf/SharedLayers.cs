using System.Collections.Immutable;

namespace Kvasir.Formats.Gguf;

/// <summary>Which layer's keys and values each layer reads, as a file lists it. The key is ours: other formats know only layers at the end that share.</summary>
static class SharedLayers
{
    /// <summary>Of each layer itself, or an earlier one of the same window that has keys and values of its own; without the key, every layer has.</summary>
    /// <exception cref="ModelFormatException">The list has another length, or names a layer that cannot be read.</exception>
    public static ImmutableArray<int> Producers(GgufMetadata metadata, string key, ImmutableArray<int?> windows)
    {
        if (!metadata.TryGetInt32s(key, out ImmutableArray<int> producers))
            return [.. Enumerable.Range(0, windows.Length)];
        if (producers.Length != windows.Length)
            throw metadata.Invalid(key, $"{producers.Length} numbers", $"{windows.Length}, one for each layer");
        for (int layer = 0; layer < producers.Length; layer++)
            if (producers[layer] is var producer && (producer < 0 || producer > layer || producers[producer] != producer || windows[producer] != windows[layer]))
                throw metadata.Invalid($"{key}[{layer}]", $"{producer}", "the layer itself, or an earlier one of the same window that has its own");
        return producers;
    }
}
