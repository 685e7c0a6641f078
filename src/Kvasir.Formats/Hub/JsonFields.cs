using System.Text.Json;

namespace Kvasir.Formats.Hub;

/// <summary>Fields of objects in which what has another type than wanted is as good as absent.</summary>
static class JsonFields
{
    public static string? Text(this JsonElement of, string name) =>
        of.Field(name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    public static bool Flag(this JsonElement of, string name, bool otherwise) => of.Field(name)?.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => otherwise,
    };

    public static JsonElement? Object(this JsonElement of, string name) =>
        of.Field(name) is { ValueKind: JsonValueKind.Object } value ? value : null;

    /// <summary>The items of an array; none where there is no such.</summary>
    public static IEnumerable<JsonElement> Items(this JsonElement of, string name) =>
        of.Field(name) is { ValueKind: JsonValueKind.Array } value ? value.EnumerateArray() : [];

    public static int? Whole(this JsonElement of, string name) =>
        of.Field(name) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out int number) ? number : null;

    static JsonElement? Field(this JsonElement of, string name) =>
        of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out JsonElement value) ? value : null;
}
