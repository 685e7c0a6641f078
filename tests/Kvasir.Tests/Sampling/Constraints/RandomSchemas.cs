using System.Globalization;
using System.Text.Json;
using CsCheck;

namespace Kvasir.Tests.Sampling.Constraints;

/// <summary>Random schemas as their JSON.</summary>
static class RandomSchemas
{
    static readonly string[] s_names = ["a", "b", "name", "a\"b", "tab\there", "日本", "😀", "", "x/y~z"];

    static readonly string[] s_values = ["1", "-2.5", "1e2", "true", "null", "\"a\"", "\"q\\\"uo\\\\te\"", "\"日本 😀\\n\"", "\"\\u0001\"",
        "[1,{\"a\":[]}]", "{\"k\":\"v w\",\"é\":null}", "\"\""];

    static readonly string[] s_patterns =
        ["^[a-z]+$", "^a{2,5}b?$", "^(foo|bar)(-[0-9]+)*$", "0.0", "^\\w+@\\w+\\.com$", "^[^\"a-y]{3}$", "\\d{2}$", "^\\\\n$|^\"[é-í]\"$",
            "^\\u{1F600}.?$", "^[\\s\\S]{0,4}$"];

    static readonly Gen<string> s_name = One(s_names).Select(Quote);
    static readonly Gen<string> s_value = One(s_values);

    static readonly Gen<string> s_string = Gen.OneOf(
        Gen.Const("{\"type\":\"string\"}"),
        Gen.Select(Gen.Int[0, 5], Gen.Int[0, 5])
            .Select((least, more) => $"{{\"type\":\"string\",\"minLength\":{least},\"maxLength\":{least + more}}}"),
        One(s_patterns).Select(pattern => $"{{\"type\":\"string\",\"pattern\":{Quote(pattern)}}}"),
        Gen.Int[1, 6].Select(most => $"{{\"pattern\":\"^[ab😀\\\\\\\\]*$\",\"maxLength\":{most}}}"),
        One("date", "time", "date-time", "duration", "uuid", "ipv4", "ipv6", "email", "hostname", "uri", "uri-reference", "iri", "regex",
            "json-pointer", "relative-json-pointer")
            .Select(format => $"{{\"type\":\"string\",\"format\":\"{format}\"}}"));

    static readonly Gen<string> s_bounds = Gen.Select(Gen.Int[-2000, 2000], Gen.OneOf(Gen.Int[1, 3], Gen.Int[1, 3000]), Gen.Int[0, 3],
        Gen.Bool, Gen.Bool, Gen.Int[0, 9]).Select((least, span, places, openBelow, openAbove, sides) =>
    {
        decimal scale = places switch { 0 => 1, 1 => 10, 2 => 1000, _ => 0.000_000_000_000_000_1m };
        string low = $"\"{(openBelow ? "exclusiveMinimum" : "minimum")}\":{(least / scale).ToString(CultureInfo.InvariantCulture)}",
            high = $"\"{(openAbove ? "exclusiveMaximum" : "maximum")}\":{((least + span) / scale).ToString(CultureInfo.InvariantCulture)}";
        return sides == 0 ? low : sides == 1 ? high : $"{low},{high}";
    });

    static readonly Gen<string> s_scalar = Gen.OneOf(
        s_string,
        One("{\"type\":\"integer\"}", "{\"type\":\"number\"}", "{\"type\":\"boolean\"}", "{\"type\":\"null\"}",
            "{\"type\":[\"integer\",\"null\"]}", "{\"type\":[\"string\",\"null\"]}", "{}", "true"),
        s_bounds.Select(bounds => $"{{\"type\":\"number\",{bounds}}}"),
        s_bounds.Select(bounds => $"{{\"type\":[\"number\",\"string\"],{bounds}}}"),
        s_bounds.Select(bounds => $"{{\"type\":\"integer\",{bounds}}}"),
        Gen.Int[-5000, 5000].Select(least => $"{{\"type\":\"integer\",\"minimum\":{least},\"maximum\":{least + 777}}}"),
        s_value.Array[1, 4].Select(values => $"{{\"enum\":[{string.Join(',', values)}]}}"),
        s_value.Select(value => $"{{\"const\":{value}}}"));

    /// <summary>Schemas of a depth.</summary>
    static Gen<string> OfDepth(int depth, Gen<string> bottom) => depth == 0
        ? bottom
        : Gen.OneOf(s_scalar, Object(OfDepth(depth - 1, bottom)), Array(OfDepth(depth - 1, bottom)), Combined(OfDepth(depth - 1, bottom)));

    static Gen<string> Object(Gen<string> value) =>
        Gen.Select(Gen.Select(s_name, value).Array[0, 4], Gen.Bool.Array[4], Gen.OneOf(One("", ",\"additionalProperties\":false",
            ",\"additionalProperties\":true"), value.Select(schema => $",\"additionalProperties\":{schema}")))
            .Select((properties, required, additional) =>
            {
                (string Name, string Schema)[] distinct =
                    [.. properties.Select(property => (property.Item1, property.Item2)).DistinctBy(property => property.Item1)];
                string listed = string.Join(',', distinct.Select(property => $"{property.Name}:{property.Schema}"));
                string names = string.Join(',', distinct.Where((_, i) => required[i]).Select(property => property.Name));
                return $"{{\"type\":\"object\",\"properties\":{{{listed}}},\"required\":[{names}]{additional}}}";
            });

    static Gen<string> Array(Gen<string> value) => Gen.OneOf(
        Gen.Select(value, Gen.Int[0, 3], Gen.Int[0, 3])
            .Select((item, least, more) => $"{{\"type\":\"array\",\"items\":{item},\"minItems\":{least},\"maxItems\":{least + more}}}"),
        value.Select(item => $"{{\"type\":\"array\",\"items\":{item}}}"),
        Gen.Select(value, value, value, Gen.Int[0, 4]).Select((first, second, rest, least) =>
            $"{{\"type\":\"array\",\"prefixItems\":[{first},{second}],\"items\":{rest},\"minItems\":{least}}}"),
        Gen.Select(value, value).Select((first, second) => $"{{\"type\":\"array\",\"prefixItems\":[{first},{second}]}}"));

    static Gen<string> Combined(Gen<string> value) => Gen.OneOf(
        value.Array[1, 3].Select(options => $"{{\"anyOf\":[{string.Join(',', options)}]}}"),
        value.Array[1, 3].Select(options => $"{{\"oneOf\":[{string.Join(',', options)}]}}"),
        s_scalar.Array[2, 3].Select(options => $"{{\"oneOf\":[{string.Join(',', options)}]}}"),
        Gen.Select(value, value).Select((one, other) => $"{{\"oneOf\":[{Tagged("x", one)},{Tagged("y", other)}]}}"),
        Gen.Select(Object(value), Object(value)).Select((one, other) => $"{{\"allOf\":[{one},{other}]}}"),
        Gen.Select(s_string, Gen.Int[0, 4]).Select((text, least) => $"{{\"allOf\":[{text}],\"minLength\":{least}}}"));

    static string Tagged(string tag, string value) =>
        $"{{\"type\":\"object\",\"properties\":{{\"tag\":{{\"const\":\"{tag}\"}},\"value\":{value}}},\"required\":[\"tag\"]}}";

    /// <summary>
    /// Whole schemas, some with a list that refers to itself. Its entries do not: a random tree would not end. Some
    /// schemas contradict themselves.
    /// </summary>
    public static Gen<string> Any { get; } = Gen.Select(OfDepth(3,
        Gen.Frequency((8, s_scalar), (1, Gen.Const("{\"$ref\":\"#/$defs/list\"}")))), OfDepth(1, s_scalar)).Select((schema, entry) =>
        $"{{\"allOf\":[{schema}],\"$defs\":{{\"list\":{{\"type\":\"object\",\"properties\":{{\"entry\":{entry},\"next\":{{\"anyOf\":[{{\"type\":\"null\"}},{{\"$ref\":\"#/$defs/list\"}}]}}}},\"required\":[\"next\"]}}}}}}");

    static Gen<string> One(params string[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    static string Quote(string text) => JsonSerializer.Serialize(text);
}
