using System.Collections.Immutable;
using Kvasir.Formats.Gguf;

namespace Kvasir.Formats.Models;

/// <summary>
/// The keys of a GGUF file's architecture, which are not trusted: numbers are within bounds, or the reader hears which key is wrong.
/// </summary>
sealed class GgufFields(IModelFile file)
{
    public GgufMetadata Metadata { get; } = file.Metadata;

    public string Architecture { get; } = file.Metadata.GetString("general.architecture");

    public bool Has(string name) => Metadata.Contains(Key(name));

    /// <summary>The full name of a key.</summary>
    public string Key(string name) => $"{Architecture}.{name}";

    public ModelFormatException Invalid(string name, string seen, string expected) => Metadata.Invalid(Key(name), seen, expected);

    /// <summary>A whole number that must be there.</summary>
    public int Count(string name, int most, int least = 1) => InRange(name, Metadata.GetInt32(Key(name)), most, least);

    /// <summary>A whole number, or a fallback without the key.</summary>
    public int Count(string name, int fallback, int most, int least) => Has(name) ? Count(name, most, least) : fallback;

    /// <summary>A positive number; null without the key.</summary>
    public float? Number(string name)
    {
        if (!Metadata.TryGetSingle(Key(name), out float value))
            return null;
        return float.IsFinite(value) && value > 0 ? value : throw Invalid(name, $"{value}", "a positive number");
    }

    /// <summary>A positive number; null without the key, or where the file says 0 for none.</summary>
    public float? NonZero(string name) => Metadata.GetSingle(Key(name), 0) == 0 ? null : Number(name);

    /// <summary>A bool, or a fallback without the key.</summary>
    public bool Flag(string name, bool fallback) => !Has(name) ? fallback
        : Metadata[Key(name)] is bool value ? value : throw Invalid(name, Metadata.TypeName(Key(name)), "true or false");

    /// <summary>A number for each layer, which the file gives once for all or as an array.</summary>
    public ImmutableArray<int> PerLayer(string name, int layers, int most, int least = 1)
    {
        if (!Has(name) || !Metadata.TypeName(Key(name)).StartsWith("array", StringComparison.Ordinal))
            return [.. Enumerable.Repeat(Count(name, most, least), layers)];
        ImmutableArray<int> values = Metadata.GetInt32s(Key(name));
        if (values.Length != layers)
            throw Invalid(name, $"{values.Length} values", $"one for each of the {layers} layers");
        int wrong = values.AsSpan().IndexOfAnyExceptInRange(least, most);
        return wrong < 0 ? values : throw Invalid(name, $"{values[wrong]} at layer {wrong}", $"{least} to {most}");
    }

    int InRange(string name, int value, int most, int least) =>
        value >= least && value <= most ? value : throw Invalid(name, $"{value}", $"{least} to {most}");
}
