using System.Text.Json;
using Kvasir.Inference.Formats;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>The value of a keyword and where it stands.</summary>
readonly record struct Keyword(JsonElement Value, string Pointer)
{
    /// <summary>A count that no text reaches stands for all above it.</summary>
    public int Count()
    {
        if (Value.ValueKind != JsonValueKind.Number || !Value.TryGetDouble(out double count) || count < 0 || count != Math.Floor(count))
            throw Refused("a whole number, 0 or more");
        return (int)Math.Min(count, int.MaxValue);
    }

    public string Text() => Value.ValueKind == JsonValueKind.String ? Value.GetString()! : throw Refused("a string");

    public bool Flag() => Value.ValueKind is JsonValueKind.True or JsonValueKind.False ? Value.GetBoolean() : throw Refused("true or false");

    /// <summary>The elements of an array.</summary>
    public IReadOnlyList<Keyword> Elements()
    {
        if (Value.ValueKind != JsonValueKind.Array)
            throw Refused("an array");
        string pointer = Pointer;
        return [.. Value.EnumerateArray().Select((element, i) => new Keyword(element, $"{pointer}/{i}"))];
    }

    /// <summary>The members of an object by name; of two with one name, the last.</summary>
    public IReadOnlyDictionary<string, Keyword> Members()
    {
        if (Value.ValueKind != JsonValueKind.Object)
            throw Refused("an object");
        OrderedDictionary<string, Keyword> members = [];
        foreach (JsonProperty member in Value.EnumerateObject())
            members[member.Name] = new(member.Value, Child(Pointer, member.Name));
        return members;
    }

    public JsonSchemaException Refused(string expected) => JsonSchemaException.At(Pointer, Printable.Line(Value.GetRawText()), expected);

    /// <summary>A pointer to a member (RFC 6901).</summary>
    public static string Child(string pointer, string name) =>
        $"{pointer}/{name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)}";
}
