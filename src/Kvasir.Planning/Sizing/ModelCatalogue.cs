using System.Collections.Immutable;
using System.Text.Json;
using Kvasir.Formats;
using Kvasir.Formats.Models;

namespace Kvasir.Planning.Sizing;

/// <summary>
/// Well-known models by name. Their dimensions are the fields of their published configurations, and are read as such a file is.
/// </summary>
static class ModelCatalogue
{
    static readonly Lazy<ImmutableSortedDictionary<string, JsonElement>> s_entries = new(Load);

    /// <summary>Every name, in order.</summary>
    public static IEnumerable<string> Names => s_entries.Value.Keys;

    /// <summary>The model of a name, or of the repository that it is published in; in any case. Null when there is none.</summary>
    public static ModelSpec? Find(string name)
    {
        foreach ((string known, JsonElement config) in s_entries.Value)
            if (known.Equals(name, StringComparison.OrdinalIgnoreCase)
                || Repository(config).Equals(name, StringComparison.OrdinalIgnoreCase))
                return HfModelReader.Read(known, $"catalogue, {known}", $"config.json of {Repository(config)} on Hugging Face", config);
        return null;
    }

    /// <summary>The names most like one that is not there.</summary>
    public static IEnumerable<string> Near(string name) => Spelling.Near(name.ToLowerInvariant(), Names).Take(5);

    static string Repository(JsonElement config) => config.GetProperty("source").GetString()!;

    static ImmutableSortedDictionary<string, JsonElement> Load()
    {
        using Stream resource = typeof(ModelCatalogue).Assembly.GetManifestResourceStream("Kvasir.Planning.Sizing.catalogue.json")!;
        using JsonDocument document = JsonDocument.Parse(resource);
        return document.RootElement.EnumerateObject().ToImmutableSortedDictionary(entry => entry.Name,
            entry => entry.Value.Clone(), StringComparer.Ordinal);
    }
}
