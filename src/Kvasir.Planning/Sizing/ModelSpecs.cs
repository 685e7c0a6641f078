using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Hub;
using Kvasir.Formats.Models;

namespace Kvasir.Planning.Sizing;

/// <summary>Finds the description of a model.</summary>
public static class ModelSpecs
{
    /// <summary>Names of the catalogue of well-known models, in order.</summary>
    public static IEnumerable<string> Names => ModelCatalogue.Names;

    /// <summary>The well-known model of a name, or of the repository that it is published in; null when there is none.</summary>
    public static ModelSpec? WellKnown(string name) => ModelCatalogue.Find(name);

    /// <summary>
    /// Reads a GGUF file, a Hugging Face <c>config.json</c> or a folder with one, or finds a well-known model: by the catalogue's name,
    /// such as <c>llama-3-8b</c>, or by its repository.
    /// </summary>
    /// <param name="nameOrPath">A path, or a name; a file of the name comes first.</param>
    /// <param name="assumeLlama">Read a configuration of an unknown architecture as if every layer kept a key
    /// and a value per KV head.</param>
    /// <exception cref="ModelFormatException">The file cannot be read, contradicts itself, or is of an unknown architecture.</exception>
    /// <exception cref="ArgumentException">There is no such file, and no such model in the catalogue; the message
    /// lists names like it.</exception>
    public static ModelSpec Find(string nameOrPath, bool assumeLlama = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(nameOrPath);
        if (Directory.Exists(nameOrPath))
            return ModelSpec.FromConfig(Path.Combine(nameOrPath, "config.json"), assumeLlama);
        if (!File.Exists(nameOrPath))
            return ModelCatalogue.Find(nameOrPath)
                ?? throw new ArgumentException($"{Printable.Quote(nameOrPath)}: no file and no known model of this name; the nearest are "
                    + $"{string.Join(", ", ModelCatalogue.Near(nameOrPath))}");
        if (nameOrPath.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
            return ModelSpec.FromConfig(nameOrPath, assumeLlama);
        using IModelFile file = ModelFiles.Open(nameOrPath);
        return ModelSpec.From(file, assumeLlama);
    }
}
