using System.Collections;
using System.Collections.Frozen;
using System.Globalization;

namespace Kvasir.Formats.Gguf;

/// <summary>What of a file's keys is known. A key that nobody here knows may change results, so a file with one is refused.</summary>
/// <param name="read">Keys that are read, and those that say nothing about results.</param>
/// <param name="neutral">Keys that ask for something only with another value than this.</param>
sealed class GgufKnownKeys(IEnumerable<string> read, IEnumerable<KeyValuePair<string, double>> neutral)
{
    readonly FrozenSet<string> _read = read.ToFrozenSet(StringComparer.Ordinal);
    readonly FrozenDictionary<string, double> _neutral = neutral.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>Refuses a file with a key that may change what the model says and is not computed.</summary>
    /// <param name="metadata">The file's keys.</param>
    /// <param name="section">What the keys begin with that are looked at, and known ones do not say again.</param>
    /// <exception cref="ModelFormatException">There is one; the line names the key and its value.</exception>
    public void Check(GgufMetadata metadata, string section)
    {
        foreach (string key in metadata.Keys)
            if (key.StartsWith(section, StringComparison.Ordinal) && Unwanted(key[section.Length..], metadata[key]) is { } expected)
                throw metadata.Invalid(key, Text(metadata, key), expected);
    }

    string? Unwanted(string name, object value)
    {
        if (_read.Contains(name))
            return null;
        if (!_neutral.TryGetValue(name, out double neutral))
            return "no such key: what it changes is not computed";
        return Is(value, neutral) ? null : string.Create(CultureInfo.InvariantCulture,
            $"{(value is bool ? neutral == 1 : neutral)}, which is all that is computed");
    }

    /// <summary>Whether a number, a bool as one, or all of a list are this.</summary>
    static bool Is(object value, double neutral) => value switch
    {
        string => false,
        IConvertible one => Convert.ToDouble(one, CultureInfo.InvariantCulture) == neutral,
        IEnumerable all => all.Cast<object>().All(one => Is(one, neutral)),
        _ => false,
    };

    static string Text(GgufMetadata metadata, string key) => metadata[key] is IConvertible value
        ? Printable.Quote(value.ToString(CultureInfo.InvariantCulture))
        : metadata.TypeName(key);
}
