using System.Text.Json;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>Types of JSON Schema. An integer is a number, too.</summary>
[Flags]
enum JsonTypes
{
    None = 0,
    Null = 1,
    Boolean = 2,
    Integer = 4,
    Fraction = 8,
    Number = Integer | Fraction,
    String = 16,
    Array = 32,
    Object = 64,
    All = 127,
}

/// <summary>Which types a schema allows.</summary>
static class SchemaTypes
{
    static readonly (JsonTypes Type, string[] Keywords)[] s_implied =
    [
        (JsonTypes.Object, ["properties", "required", "additionalProperties", "minProperties", "maxProperties"]),
        (JsonTypes.Array, ["items", "prefixItems", "minItems", "maxItems"]),
        (JsonTypes.String, ["minLength", "maxLength", "pattern", "format"]),
        (JsonTypes.Number, ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]),
    ];

    /// <summary>The types that are written, or all.</summary>
    public static JsonTypes Stated(Conjunction schema) =>
        schema.Conjuncts.Aggregate(schema.Limits.Types,
            (types, conjunct) => conjunct.Find("type") is { } type ? types & (Parse(type) | Nullable(conjunct)) : types);

    /// <summary>
    /// The types that are written or, where none are, those that the keywords speak of. Nobody who lists properties wants a number.
    /// </summary>
    public static JsonTypes Meant(Conjunction schema)
    {
        JsonTypes implied = s_implied.Where(kind => schema.Any(kind.Keywords))
            .Aggregate(JsonTypes.None, (types, kind) => types | kind.Type);
        return schema.Any("type") || implied == JsonTypes.None ? Stated(schema) : implied & schema.Limits.Types;
    }

    /// <summary>Whether all values of a type satisfy the schema, if it allows the type.</summary>
    public static bool SaysNothingOf(Conjunction schema, JsonTypes type) =>
        schema.Choice is null && !schema.Any("enum", "const")
        && !s_implied.Any(kind => kind.Type.HasFlag(type) && schema.Any(kind.Keywords));

    public static JsonTypes Of(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => JsonTypes.Null,
        JsonValueKind.True or JsonValueKind.False => JsonTypes.Boolean,
        JsonValueKind.Number => DecimalNumber.From(value) is { IsInteger: false } ? JsonTypes.Fraction : JsonTypes.Integer,
        JsonValueKind.String => JsonTypes.String,
        JsonValueKind.Array => JsonTypes.Array,
        _ => JsonTypes.Object,
    };

    static JsonTypes Nullable(Conjunct conjunct) => conjunct.Find("nullable") is { } nullable && nullable.Flag()
        ? JsonTypes.Null
        : JsonTypes.None;

    static JsonTypes Parse(Keyword type) => type.Value.ValueKind == JsonValueKind.Array
        ? type.Elements().Aggregate(JsonTypes.None, (types, element) => types | Named(element))
        : Named(type);

    static JsonTypes Named(Keyword name) => name.Text() switch
    {
        "null" => JsonTypes.Null,
        "boolean" => JsonTypes.Boolean,
        "integer" => JsonTypes.Integer,
        "number" => JsonTypes.Number,
        "string" => JsonTypes.String,
        "array" => JsonTypes.Array,
        "object" => JsonTypes.Object,
        _ => throw name.Refused("null, boolean, integer, number, string, array or object"),
    };
}
