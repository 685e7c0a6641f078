using System.Collections.Immutable;
using System.Text.Json;

namespace Kvasir.Formats.Models;

/// <summary>
/// The fields of a <c>config.json</c> that is not trusted. Numbers are whole and within bounds, or the reader hears which field is wrong.
/// </summary>
/// <param name="path">The file, for messages.</param>
/// <param name="prefix">What stands before the names in messages: empty, or the object that the fields are in and a dot.</param>
/// <param name="fields">The object.</param>
/// <param name="defaults">What the architecture's published code takes for a field that is not there.</param>
sealed class ConfigFields(string path, string prefix, JsonElement fields, ImmutableDictionary<string, int> defaults)
{
    /// <summary>Widths beyond this exist in no model; the bound keeps products of two of them far from overflow.</summary>
    public const int MostWidth = 1 << 20;

    readonly SortedSet<string> _defaulted = new(StringComparer.Ordinal);

    /// <summary>What was not in the file and taken from the architecture: <c>head_dim 256</c>.</summary>
    public IEnumerable<string> Defaulted => _defaulted;

    /// <summary>Whether the field is there and not null.</summary>
    public bool Has(string name) => fields.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null;

    /// <summary>A whole number that must be there or have a default.</summary>
    public int Count(string name, int most = MostWidth, int least = 1) =>
        Optional(name, most, least) ?? throw Invalid(name, "the field is missing", $"a whole number from {least} to {most}");

    /// <summary>A whole number, or null where the field is null, or missing without a default.</summary>
    public int? Optional(string name, int most = MostWidth, int least = 1)
    {
        if (!fields.TryGetProperty(name, out JsonElement value))
            return Default(name);
        if (value.ValueKind == JsonValueKind.Null)
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= least && number <= most
            ? number
            : throw Invalid(name, Seen(value), $"a whole number from {least} to {most}");
    }

    /// <summary>A positive number; a fallback where the field is missing, null where it is null.</summary>
    public float? Number(string name, float? fallback = null)
    {
        if (!fields.TryGetProperty(name, out JsonElement value))
            return fallback;
        if (value.ValueKind == JsonValueKind.Null)
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out float number) && float.IsFinite(number) && number > 0
            ? number
            : throw Invalid(name, Seen(value), "a positive number");
    }

    /// <summary>The fields of an object inside; null where it is missing or null.</summary>
    public ConfigFields? Object(string name) => !Has(name) ? null : fields.GetProperty(name) is { ValueKind: JsonValueKind.Object } inner
        ? new ConfigFields(path, $"{prefix}{name}.", inner, ImmutableDictionary<string, int>.Empty)
        : throw Invalid(name, Seen(fields.GetProperty(name)), "an object");

    /// <summary>A bool, or a fallback where the field is missing or null.</summary>
    public bool Flag(string name, bool fallback = false) => !Has(name) ? fallback : fields.GetProperty(name) switch
    {
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        JsonElement value => throw Invalid(name, Seen(value), "true or false"),
    };

    /// <summary>A string, or null where the field is missing or null.</summary>
    public string? Text(string name) => !Has(name) ? null : AsText(name, fields.GetProperty(name));

    /// <summary>An array of strings, or null where the field is missing or null.</summary>
    public ImmutableArray<string>? Texts(string name) =>
        !Has(name) ? null : [.. Items(name, "an array of strings").Select(item => AsText(name, item))];

    /// <summary>An array of layers' numbers; empty where the field is missing or null.</summary>
    public ImmutableArray<int> LayerNumbers(string name) => !Has(name) ? [] :
        [.. Items(name, "an array of layers")
            .Select(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out int layer) && layer >= 0
            ? layer
            : throw Invalid(name, Seen(item), "an array of layers"))];

    /// <summary>An array of positive numbers; empty where the field is missing or null.</summary>
    public ImmutableArray<float> Numbers(string name) => !Has(name) ? [] :
        [.. Items(name, "an array of numbers")
            .Select(item => item.ValueKind == JsonValueKind.Number && item.TryGetSingle(out float number) && float.IsFinite(number)
                && number > 0
            ? number
            : throw Invalid(name, Seen(item), "positive numbers"))];

    /// <summary>
    /// The names of all fields that say something, those of objects inside too, as <c>attn_config.window</c>. What is null, false, 0 or
    /// empty says nothing.
    /// </summary>
    public IEnumerable<(string Name, string Seen)> Said() => Said(fields, "");

    static IEnumerable<(string Name, string Seen)> Said(JsonElement of, string prefix) => of.EnumerateObject().SelectMany(field =>
        field.Value.ValueKind == JsonValueKind.Object ? Said(field.Value, $"{prefix}{field.Name}.")
        : SaysNothing(field.Value) ? [] : [(prefix + field.Name, Seen(field.Value))]);

    static bool SaysNothing(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => true,
        JsonValueKind.Number => value.GetRawText() is "0",
        JsonValueKind.String => value.GetString() is "",
        JsonValueKind.Array => value.GetArrayLength() == 0,
        _ => false,
    };

    /// <summary>The error of a field.</summary>
    public ModelFormatException Invalid(string name, string seen, string expected) =>
        ModelFormatException.At(path, prefix + name, seen, expected);

    int? Default(string name)
    {
        if (!defaults.TryGetValue(name, out int value))
            return null;
        _defaulted.Add($"{name} {value}");
        return value;
    }

    JsonElement.ArrayEnumerator Items(string name, string expected) => fields.GetProperty(name) is { ValueKind: JsonValueKind.Array } array
        ? array.EnumerateArray()
        : throw Invalid(name, Seen(fields.GetProperty(name)), expected);

    string AsText(string name, JsonElement value) => value.ValueKind == JsonValueKind.String
        ? value.GetString()!
        : throw Invalid(name, Seen(value), "a string");

    static string Seen(JsonElement value) => Printable.Line(value.GetRawText(), 40);
}
