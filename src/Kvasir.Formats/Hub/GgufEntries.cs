using Kvasir.Formats.Gguf;

namespace Kvasir.Formats.Hub;

/// <summary>Keys and values as a GGUF file has them, while they are collected.</summary>
sealed class GgufEntries
{
    readonly List<string> _keys = [];
    readonly Dictionary<string, object> _values = new(StringComparer.Ordinal);

    /// <summary>Adds a key, or replaces its value; null adds nothing.</summary>
    public void Set(string key, object? value)
    {
        if (value is null)
            return;
        if (!_values.ContainsKey(key))
            _keys.Add(key);
        _values[key] = value;
    }

    /// <summary>Whether a key has this value.</summary>
    public bool Is(string key, string value) => _values.GetValueOrDefault(key) as string == value;

    public GgufMetadata Metadata(string path) => new(path, _keys, _values);
}
