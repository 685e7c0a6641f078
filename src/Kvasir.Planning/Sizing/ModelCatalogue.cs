using System.Collections.Immutable;
using System.Text.Json;
using Kvasir.Formats.Models;

namespace Kvasir.Planning.Sizing;

/// <summary>Well-known models by name. Their dimensions are the fields of their published configurations, and are read as such a file is.</summary>
static class ModelCatalogue
{
    static readonly Lazy<ImmutableSortedDictionary<string, JsonElement>> s_entries = new(Load);

    /// <summary>Every name, in order.</summary>
    public static IEnumerable<string> Names => s_entries.Value.Keys;

    /// <summary>The model of a name, or of the repository that it is published in; in any case. Null when there is none.</summary>
    public static ModelSpec? Find(string name)
    {
        foreach ((string known, JsonElement config) in s_entries.Value)
            if (known.Equals(name, StringComparison.OrdinalIgnoreCase) || Repository(config).Equals(name, StringComparison.OrdinalIgnoreCase))
                return HfModelReader.Read(known, $"catalogue, {known}", $"config.json of {Repository(config)} on Hugging Face", config);
        return null;
    }

    /// <summary>The names most like one that is not there.</summary>
    public static IEnumerable<string> Near(string name) => Names.OrderBy(known => Distance(known, name.ToLowerInvariant())).ThenBy(known => known, StringComparer.Ordinal).Take(5);

    static string Repository(JsonElement config) => config.GetProperty("source").GetString()!;

    static ImmutableSortedDictionary<string, JsonElement> Load()
    {
        using Stream resource = typeof(ModelCatalogue).Assembly.GetManifestResourceStream("Kvasir.Planning.Sizing.catalogue.json")!;
        using JsonDocument document = JsonDocument.Parse(resource);
        return document.RootElement.EnumerateObject().ToImmutableSortedDictionary(entry => entry.Name, entry => entry.Value.Clone(), StringComparer.Ordinal);
    }

    /// <summary>Letters to insert, delete or replace (Levenshtein, 1966); a letter more costs half, since names are often cut short.</summary>
    static int Distance(string known, string typed)
    {
        int[] row = [.. Enumerable.Range(0, known.Length + 1)];
        foreach (char letter in typed.AsSpan()[..Math.Min(typed.Length, 64)])
        {
            int diagonal = row[0];
            row[0] += 2;
            for (int i = 1; i < row.Length; i++)
                (row[i], diagonal) = (Math.Min(Math.Min(row[i] + 2, row[i - 1] + 1), diagonal + (known[i - 1] == letter ? 0 : 2)), row[i]);
        }
        return row[^1];
    }
}
