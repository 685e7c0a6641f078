using System.Text.Json;
using System.Text.RegularExpressions;

namespace Kvasir.Tests.Sampling.Constraints;

/// <summary>JSON Schema as the standard says, for the keywords that the tests use; written without a look at the grammar.</summary>
sealed class SchemaValidator(JsonElement root)
{
    public static bool IsValid(string schema, string text)
    {
        using var json = JsonDocument.Parse(text);
        using var parsed = JsonDocument.Parse(schema);
        return new SchemaValidator(parsed.RootElement).IsValid(parsed.RootElement, json.RootElement);
    }

    bool IsValid(JsonElement schema, JsonElement value)
    {
        if (schema.ValueKind is JsonValueKind.True or JsonValueKind.False)
            return schema.GetBoolean();
        return schema.EnumerateObject().All(keyword => Holds(schema, keyword.Name, keyword.Value, value));
    }

    bool Holds(JsonElement schema, string keyword, JsonElement argument, JsonElement value) => keyword switch
    {
        "type" => argument.ValueKind == JsonValueKind.String
            ? IsType(argument, value, schema)
            : argument.EnumerateArray().Any(type => IsType(type, value, schema)),
        "enum" => argument.EnumerateArray().Any(other => JsonElement.DeepEquals(other, value)),
        "const" => JsonElement.DeepEquals(argument, value),
        "anyOf" => argument.EnumerateArray().Any(option => IsValid(option, value)),
        "oneOf" => argument.EnumerateArray().Count(option => IsValid(option, value)) == 1,
        "allOf" => argument.EnumerateArray().All(part => IsValid(part, value)),
        "$ref" => IsValid(Target(argument.GetString()!), value),
        _ => value.ValueKind switch
        {
            JsonValueKind.Object => HoldsForObject(schema, keyword, argument, value),
            JsonValueKind.Array => HoldsForArray(schema, keyword, argument, value),
            JsonValueKind.String => HoldsForString(keyword, argument, value.GetString()!),
            JsonValueKind.Number => HoldsForNumber(keyword, argument, value),
            _ => true,
        },
    };

    static bool IsType(JsonElement type, JsonElement value, JsonElement schema) => type.GetString() switch
    {
        _ when value.ValueKind == JsonValueKind.Null && schema.TryGetProperty("nullable", out _) => true,
        "null" => value.ValueKind == JsonValueKind.Null,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "integer" => value.ValueKind == JsonValueKind.Number && value.GetDouble() is var number && Math.Floor(number) == number,
        "number" => value.ValueKind == JsonValueKind.Number,
        "string" => value.ValueKind == JsonValueKind.String,
        "array" => value.ValueKind == JsonValueKind.Array,
        "object" => value.ValueKind == JsonValueKind.Object,
        _ => throw new InvalidOperationException(),
    };

    bool HoldsForObject(JsonElement schema, string keyword, JsonElement argument, JsonElement value) => keyword switch
    {
        "properties" => argument.EnumerateObject()
            .All(property => !value.TryGetProperty(property.Name, out JsonElement member) || IsValid(property.Value, member)),
        "required" => argument.EnumerateArray().All(name => value.TryGetProperty(name.GetString()!, out _)),
        "additionalProperties" => value.EnumerateObject().All(member =>
            (schema.TryGetProperty("properties", out JsonElement properties) && properties.TryGetProperty(member.Name, out _))
                || IsValid(argument, member.Value)),
        _ => true,
    };

    bool HoldsForArray(JsonElement schema, string keyword, JsonElement argument, JsonElement value)
    {
        int prefix = schema.TryGetProperty("prefixItems", out JsonElement items) ? items.GetArrayLength() : 0;
        return keyword switch
        {
            "items" => value.EnumerateArray().Skip(prefix).All(item => IsValid(argument, item)),
            "prefixItems" => argument.EnumerateArray().Zip(value.EnumerateArray()).All(pair => IsValid(pair.First, pair.Second)),
            "minItems" => value.GetArrayLength() >= argument.GetInt32(),
            "maxItems" => value.GetArrayLength() <= argument.GetInt32(),
            _ => true,
        };
    }

    static bool HoldsForString(string keyword, JsonElement argument, string value) => keyword switch
    {
        "minLength" => value.EnumerateRunes().Count() >= argument.GetInt32(),
        "maxLength" => value.EnumerateRunes().Count() <= argument.GetInt32(),
        "pattern" => Regex.IsMatch(OneCharEach(value), OneCharEach(argument.GetString()!.Replace("$", "\\z", StringComparison.Ordinal)
            .Replace("\\u{1F600}", "😀", StringComparison.Ordinal))),
        "format" => argument.GetString() switch
        {
            "date" => DateOnly.TryParseExact(value, "yyyy-MM-dd", out _),
            "time" => DateTimeOffset.TryParse($"2000-01-01T{value}", out _),
            "date-time" => DateTimeOffset.TryParse(value, out _),
            "uuid" => Guid.TryParseExact(value, "D", out _),
            "ipv4" => System.Net.IPAddress.TryParse(value, out System.Net.IPAddress? address) && address.ToString() == value,
            "ipv6" => System.Net.IPAddress.TryParse(value, out System.Net.IPAddress? longer)
                && longer.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6,
            "hostname" => Uri.CheckHostName(value) == UriHostNameType.Dns,
            "uri" => Uri.TryCreate(value, UriKind.Absolute, out _),
            "regex" => new Regex(value, RegexOptions.ECMAScript).ToString() == value,
            "duration" => Regex.IsMatch(value, @"^P(\d+W|(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?)(?<!P)\z"),
            "json-pointer" => Regex.IsMatch(value, @"^(/([^~/]|~[01])*)*\z"),
            "email" => System.Net.Mail.MailAddress.TryCreate(value, out _),
            _ => true,
        },
        _ => true,
    };

    /// <summary>.NET's expressions count a character beyond U+FFFF as two.</summary>
    static string OneCharEach(string text) =>
        string.Concat(text.EnumerateRunes().Select(rune => rune.Value == 0x1f600 ? '\ue000' : rune.IsBmp ? (char)rune.Value : '\ue001'));

    static bool HoldsForNumber(string keyword, JsonElement argument, JsonElement value) => keyword switch
    {
        "minimum" => Number(value) >= Number(argument),
        "maximum" => Number(value) <= Number(argument),
        "exclusiveMinimum" => Number(value) > Number(argument),
        "exclusiveMaximum" => Number(value) < Number(argument),
        _ => true,
    };

    static decimal Number(JsonElement value) => value.TryGetDecimal(out decimal number) ? number
        : value.GetDouble() < 0 ? decimal.MinValue
        : decimal.MaxValue;

    JsonElement Target(string reference) => reference.Split('/')[1..].Aggregate(root, (at, name) => at.GetProperty(name));
}
