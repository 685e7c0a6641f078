using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;

namespace Kvasir.Formats.Gguf;

/// <summary>
/// The keys and values in front of a GGUF file's tensors. Getters that take a fallback return it when the key is absent; a key that is
/// present with another type is an error in both forms.
/// </summary>
public sealed class GgufMetadata
{
    readonly string _path;
    readonly Dictionary<string, object> _values;

    internal GgufMetadata(string path, IReadOnlyList<string> keys, Dictionary<string, object> values) =>
        (_path, Keys, _values) = (path, keys, values);

    /// <summary>The same but for keys that begin so.</summary>
    internal GgufMetadata Without(string prefix)
    {
        bool IsLeft(string key) => !key.StartsWith(prefix, StringComparison.Ordinal);
        return new(_path, [.. Keys.Where(IsLeft)],
            _values.Where(entry => IsLeft(entry.Key)).ToDictionary(entry => entry.Key, entry => entry.Value, StringComparer.Ordinal));
    }

    /// <summary>All keys in the order of the file.</summary>
    public IReadOnlyList<string> Keys { get; }

    /// <summary>
    /// The raw value: a number of the file's own width, a bool, a string or an <see cref="ImmutableArray{T}"/> of one of them.
    /// </summary>
    public object this[string key] => _values.TryGetValue(key, out object? value) ? value : throw Missing(key, "a value");

    /// <summary>Whether the file has the key, with whatever type.</summary>
    public bool Contains(string key) => _values.ContainsKey(key);

    /// <summary>The type as users see it: <c>uint32</c>, <c>array of string</c>.</summary>
    public string TypeName(string key) => GgufValues.TypeName(this[key]);

    /// <summary>A required string.</summary>
    public string GetString(string key) => TryGetString(key, out string? value) ? value : throw Missing(key, "a string");

    /// <summary>An optional string.</summary>
    [return: NotNullIfNotNull(nameof(fallback))]
    public string? GetString(string key, string? fallback) => TryGetString(key, out string? value) ? value : fallback;

    /// <summary>Whether the string is present; another type under the key is an error.</summary>
    public bool TryGetString(string key, [NotNullWhen(true)] out string? value) =>
        TryGet(key, "a string", raw => raw as string, out value);

    /// <summary>A required integer of any width whose value fits.</summary>
    public int GetInt32(string key) => Find<int>(key) ?? throw Missing(key, "an integer");

    /// <summary>An optional integer of any width whose value fits.</summary>
    public int GetInt32(string key, int fallback) => Find<int>(key) ?? fallback;

    /// <summary>Whether the integer is present; another type, or a value that does not fit, is an error.</summary>
    public bool TryGetInt32(string key, out int value) => Found(Find<int>(key), out value);

    /// <summary>A required integer of any width whose value fits.</summary>
    public long GetInt64(string key) => Find<long>(key) ?? throw Missing(key, "an integer");

    /// <summary>An optional integer of any width whose value fits.</summary>
    public long GetInt64(string key, long fallback) => Find<long>(key) ?? fallback;

    /// <summary>A required floating-point number.</summary>
    public float GetSingle(string key) => FindSingle(key) ?? throw Missing(key, "a floating-point number");

    /// <summary>An optional floating-point number.</summary>
    public float GetSingle(string key, float fallback) => FindSingle(key) ?? fallback;

    /// <summary>Whether the floating-point number is present; another type is an error.</summary>
    public bool TryGetSingle(string key, out float value) => Found(FindSingle(key), out value);

    /// <summary>A required bool.</summary>
    public bool GetBool(string key) => FindBool(key) ?? throw Missing(key, "a bool");

    /// <summary>An optional bool.</summary>
    public bool GetBool(string key, bool fallback) => FindBool(key) ?? fallback;

    /// <summary>A required array of strings.</summary>
    public ImmutableArray<string> GetStrings(string key) =>
        TryGetStrings(key, out var value) ? value : throw Missing(key, "an array of strings");

    /// <summary>Whether the array of strings is present; another type is an error.</summary>
    public bool TryGetStrings(string key, out ImmutableArray<string> value) =>
        Found(Find(key, "an array of strings", raw => raw as ImmutableArray<string>?), out value);

    /// <summary>A required array of floating-point numbers.</summary>
    public ImmutableArray<float> GetSingles(string key) =>
        TryGetSingles(key, out var value) ? value : throw Missing(key, "an array of floating-point numbers");

    /// <summary>Whether the array of floating-point numbers is present; another type is an error.</summary>
    public bool TryGetSingles(string key, out ImmutableArray<float> value) =>
        Found(Find(key, "an array of floating-point numbers", AsSingles), out value);

    /// <summary>A required array of integers of any width whose values fit.</summary>
    public ImmutableArray<int> GetInt32s(string key) =>
        TryGetInt32s(key, out var value) ? value : throw Missing(key, "an array of integers");

    /// <summary>Whether the array of integers is present; another type, or a value that does not fit, is an error.</summary>
    public bool TryGetInt32s(string key, out ImmutableArray<int> value) =>
        Found(Find(key, "an array of integers", raw => AsInt32s(key, raw)), out value);

    /// <summary>The error of a key whose value, of the right type, makes no sense to its reader.</summary>
    public ModelFormatException Invalid(string key, string seen, string expected) =>
        ModelFormatException.At(_path, Printable.Line(key), seen, expected);

    ModelFormatException Missing(string key, string expected) => Invalid(key, "the key is missing", expected);

    T? Find<T>(string key) where T : struct, IBinaryInteger<T>, IMinMaxValue<T> => Find(key, "an integer", raw => AsInteger<T>(key, raw));

    float? FindSingle(string key) => Find<float>(key, "a floating-point number", raw => raw switch
    {
        float value => value,
        double value => (float)value,
        _ => null,
    });

    bool? FindBool(string key) => Find(key, "a bool", raw => raw as bool?);

    T? Find<T>(string key, string wanted, Func<object, T?> convert) where T : struct =>
        !_values.TryGetValue(key, out object? raw) ? null : convert(raw) ?? throw WrongType(key, raw, wanted);

    bool TryGet<T>(string key, string wanted, Func<object, T?> convert, [NotNullWhen(true)] out T? value) where T : class
    {
        value = !_values.TryGetValue(key, out object? raw) ? null : convert(raw) ?? throw WrongType(key, raw, wanted);
        return value is not null;
    }

    static bool Found<T>(T? found, out T value) where T : struct
    {
        value = found.GetValueOrDefault();
        return found.HasValue;
    }

    ModelFormatException WrongType(string key, object raw, string wanted) =>
        Invalid(key, $"a value of type {GgufValues.TypeName(raw)}", wanted);

    T? AsInteger<T>(string key, object raw) where T : struct, IBinaryInteger<T>, IMinMaxValue<T> => raw switch
    {
        byte value => Narrow<T, byte>(key, value),
        sbyte value => Narrow<T, sbyte>(key, value),
        ushort value => Narrow<T, ushort>(key, value),
        short value => Narrow<T, short>(key, value),
        uint value => Narrow<T, uint>(key, value),
        int value => Narrow<T, int>(key, value),
        ulong value => Narrow<T, ulong>(key, value),
        long value => Narrow<T, long>(key, value),
        _ => null,
    };

    ImmutableArray<int>? AsInt32s(string key, object raw) => raw switch
    {
        ImmutableArray<int> values => values,
        ImmutableArray<byte> values => Narrow(key, values),
        ImmutableArray<sbyte> values => Narrow(key, values),
        ImmutableArray<ushort> values => Narrow(key, values),
        ImmutableArray<short> values => Narrow(key, values),
        ImmutableArray<uint> values => Narrow(key, values),
        ImmutableArray<ulong> values => Narrow(key, values),
        ImmutableArray<long> values => Narrow(key, values),
        _ => null,
    };

    static ImmutableArray<float>? AsSingles(object raw) => raw switch
    {
        ImmutableArray<float> values => values,
        ImmutableArray<double> values => [.. values.Select(value => (float)value)],
        _ => null,
    };

    ImmutableArray<int> Narrow<TFrom>(string key, ImmutableArray<TFrom> values) where TFrom : IBinaryInteger<TFrom>
    {
        var narrowed = new int[values.Length];
        for (int i = 0; i < narrowed.Length; i++)
            narrowed[i] = Narrow<int, TFrom>(key, values[i], i);
        return System.Runtime.InteropServices.ImmutableCollectionsMarshal.AsImmutableArray(narrowed);
    }

    TTo Narrow<TTo, TFrom>(string key, TFrom value, int? index = null)
        where TTo : struct, IBinaryInteger<TTo>, IMinMaxValue<TTo> where TFrom : IBinaryInteger<TFrom>
    {
        TTo narrowed = TTo.CreateSaturating(value);
        if (TFrom.CreateSaturating(narrowed) == value && TFrom.IsNegative(value) == TTo.IsNegative(narrowed)) return narrowed;
        string seen = index is { } i ? $"{value} at index {i}" : value.ToString(null, CultureInfo.InvariantCulture);
        throw Invalid(key, seen, $"an integer from {TTo.MinValue} to {TTo.MaxValue}");
    }
}
