using System.Text.Json;
using Kvasir.Formats;

namespace Kvasir.Cli.Configuration;

/// <summary>
/// Values of the user's file: numbers, texts and truths as JSON has them, and lists for flags that may be given several times.
/// </summary>
static class JsonSetting
{
    /// <summary>Reads a value.</summary>
    /// <param name="place">The file and the key, for messages.</param>
    /// <param name="setting">What it is for.</param>
    /// <param name="value">What the file says.</param>
    /// <exception cref="UsageException">It is of another kind than the setting.</exception>
    public static SettingValue Read(string place, ISetting setting, JsonElement value)
    {
        Type type = Nullable.GetUnderlyingType(setting.ValueType) ?? setting.ValueType;
        bool isList = type.IsArray && value.ValueKind == JsonValueKind.Array;
        JsonElement[] parts = isList ? [.. value.EnumerateArray()] : [value];
        if (Array.Find(parts, part => !IsOf(type, part.ValueKind)) is { ValueKind: not JsonValueKind.Undefined } wrong)
            throw new UsageException(
                $"{place}: saw {(setting.IsSecret ? "another kind of value" : Kind(wrong))}, expected {Expected(type)}");
        return new SettingValue(SettingSource.File, place, [.. parts.Select(part => Text(place, setting, part))]);
    }

    /// <summary>What is there, for messages: a number, truth or text itself, or what kind of thing it is.</summary>
    public static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => Printable.Quote(value.GetString()!),
        _ => Printable.Line(value.GetRawText(), 100),
    };

    static bool IsOf(Type type, JsonValueKind kind) => kind switch
    {
        JsonValueKind.True or JsonValueKind.False => type == typeof(bool),
        JsonValueKind.Number => type != typeof(bool) && type != typeof(string) && !type.IsArray,
        JsonValueKind.String => type == typeof(string) || type.IsArray || type == typeof(long),
        _ => false,
    };

    /// <summary>Sizes are the only numbers of 64 bits.</summary>
    static string Expected(Type type) =>
        type == typeof(bool) ? "true or false" :
        type == typeof(string) ? "a text" :
        type == typeof(long) ? "a size such as \"8GiB\", or a number of bytes" :
        type.IsArray ? "a text or a list of texts" :
        "a number";

    static string Text(string place, ISetting setting, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.String)
            return value.GetRawText();
        string text = value.GetString()!;
        if (text.StartsWith("~/", StringComparison.Ordinal)) // no shell has seen it
            text = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), text[2..]);
        return !setting.IsPath || Path.IsPathFullyQualified(text)
            ? text
            : throw new UsageException($"{place}: saw {Printable.Quote(text)}, expected a whole path, or one that begins with ~/");
    }
}
