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

    public static bool IsValid(string schema, string text) =>
        JsonSchema.FromText(Plain(schema)).Evaluate(Plain(JsonNode.Parse(text)), s_options).IsValid;

    static string Plain(string schema) => schema.Replace("😀", Astral, StringComparison.Ordinal)
        .Replace("\\\\u{1F600}", Astral, StringComparison.Ordinal).Replace("\\\\u{1f600}", Astral, StringComparison.Ordinal)
        .Replace("\\uD83D\\uDE00", Astral, StringComparison.Ordinal)
        .Replace("\"format\":\"hostname\"", "\"minLength\":1", StringComparison.Ordinal);

    static JsonNode? Plain(JsonNode? value) => value switch
    {
        JsonObject members => new JsonObject(members.Select(member =>
            KeyValuePair.Create(member.Key.Replace("😀", Astral, StringComparison.Ordinal), Plain(member.Value)))),
        JsonArray items => new JsonArray([.. items.Select(Plain)]),
        JsonValue scalar when scalar.GetValueKind() == JsonValueKind.String => Plain(scalar.GetValue<string>().EnumerateRunes()),
        JsonValue scalar when scalar.GetValueKind() == JsonValueKind.Number => Plain(scalar.GetValue<JsonElement>()),
        _ => value?.DeepClone(),
    };

    static JsonValue Plain(JsonElement number) =>
        JsonValue.Create(number.TryGetDecimal(out decimal exact) ? exact : number.GetDouble() < 0 ? -Large : Large);

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
