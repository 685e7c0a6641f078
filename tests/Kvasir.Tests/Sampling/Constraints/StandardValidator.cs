using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Json.Schema;

namespace Kvasir.Tests.Sampling.Constraints;

/// <summary>
/// JSON Schema as others read it. That library counts UTF-16 units in patterns and what people see as one character in lengths; here every
/// character that patterns and lists do not speak of is replaced by one that counts once, whoever counts, and a number that is larger than
/// it can read by one that is not. Its host names are fewer than RFC 1123's: <see cref="SchemaValidator"/> looks at those.
/// </summary>
static class StandardValidator
{
    const string Astral = "\ue000", Other = "\ue001";

    const decimal Large = 7e27m;

    static readonly EvaluationOptions s_options = new() { EvaluateAs = SpecVersion.Draft202012, RequireFormatValidation = true };

    public static bool IsValid(string schema, string text)
    {
        using var json = JsonDocument.Parse(text);
        return JsonSchema.FromText(Plain(schema)).Evaluate(Plain(json.RootElement), s_options).IsValid;
    }

    static string Plain(string schema) => schema.Replace("😀", Astral, StringComparison.Ordinal)
        .Replace("\\\\u{1F600}", Astral, StringComparison.Ordinal).Replace("\\\\u{1f600}", Astral, StringComparison.Ordinal)
        .Replace("\\uD83D\\uDE00", Astral, StringComparison.Ordinal)
        .Replace("\"format\":\"hostname\"", "\"minLength\":1", StringComparison.Ordinal);

    static JsonNode? Plain(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => Members(value),
        JsonValueKind.Array => new JsonArray([.. value.EnumerateArray().Select(Plain)]),
        JsonValueKind.String => Plain(value.GetString()!.EnumerateRunes()),
        JsonValueKind.Number => JsonValue.Create(value.TryGetDecimal(out decimal exact) ? exact : value.GetDouble() < 0 ? -Large : Large),
        JsonValueKind.True or JsonValueKind.False => JsonValue.Create(value.GetBoolean()),
        _ => null,
    };

    /// <summary>Of two members with one name the last counts.</summary>
    static JsonObject Members(JsonElement value)
    {
        JsonObject members = [];
        foreach (JsonProperty member in value.EnumerateObject())
            members[member.Name.Replace("😀", Astral, StringComparison.Ordinal)] = Plain(member.Value);
        return members;
    }

    static bool IsSpokenOf(Rune rune) =>
        (rune.IsAscii && rune.Value != '\r') || "日本éêëìí".Contains(rune.ToString(), StringComparison.Ordinal);

    static JsonValue Plain(StringRuneEnumerator runes)
    {
        StringBuilder plain = new();
        foreach (Rune rune in runes)
            plain.Append(rune.Value == 0x1f600 ? Astral : IsSpokenOf(rune) ? rune.ToString() : Other);
        return JsonValue.Create(plain.ToString());
    }
}
