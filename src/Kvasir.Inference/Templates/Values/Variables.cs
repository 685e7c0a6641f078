using System.Collections.Frozen;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Kvasir.Inference.Templates.Values;

/// <summary>JSON as a template's values.</summary>
static class Variables
{
    /// <summary>Who may speak: words of the protocol, not of a user. Templates make frames of them, such as <c>&lt;|user|></c>.</summary>
    static readonly FrozenSet<string> s_roles = ["system", "developer", "user", "assistant", "tool"];

    /// <summary>The variables by name. Those that are trusted are not input.</summary>
    /// <exception cref="TemplateException">They are nested too deeply, name a member twice or hold half a surrogate pair.</exception>
    public static List<(string Name, object? Value)> From(JsonObject variables, IReadOnlySet<string> trusted)
    {
        try
        {
            return [.. variables.Select(entry => (entry.Key, Value(entry.Value, !trusted.Contains(entry.Key), 0)))];
        }
        catch (Exception refused) when (refused is InvalidOperationException or ArgumentException) // what JsonNode throws when read late
        {
            throw new TemplateException($"the variables: {Formats.Printable.Line(refused.Message, 200)}");
        }
    }

    static object? Value(JsonNode? json, bool isInput, int depth)
    {
        if (depth > Limits.ValueDepth) throw new TemplateException($"a variable more than {Limits.ValueDepth} lists deep, expected fewer");
        return json switch
        {
            null => null,
            JsonArray array => array.Select(item => Value(item, isInput, depth + 1)).ToList(),
            JsonObject members => Dictionary(members, isInput, depth),
            _ => Scalar(json.AsValue(), isInput),
        };
    }

    static OrderedDictionary<object, object?> Dictionary(JsonObject members, bool isInput, int depth)
    {
        var dictionary = KeyComparer.NewDictionary();
        foreach (var (name, value) in members)
            dictionary[MarkedText.Of(name, isInput)] = Value(value, isInput && !IsRole(name, value), depth + 1);
        return dictionary;
    }

    static bool IsRole(string name, JsonNode? value) =>
        name == "role" && value is JsonValue role && role.TryGetValue(out string? who) && s_roles.Contains(who);

    static object? Scalar(JsonValue json, bool isInput) => json.GetValueKind() switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Number => Number(json),
        JsonValueKind.String =>
            MarkedText.Of(json.GetValue<object>() is JsonElement element ? element.GetString()! : json.ToString(), isInput),
        _ => null,
    };

    /// <summary>An integer where it is written like one and has 64 bits at most, otherwise a float.</summary>
    static object Number(JsonValue json)
    {
        string text = json.ToJsonString();
        bool isFloat = json.GetValue<object>() is double or float or decimal; // which would be written without a point
        return !isFloat && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
            ? (object)number
            : double.Parse(text, CultureInfo.InvariantCulture);
    }
}
