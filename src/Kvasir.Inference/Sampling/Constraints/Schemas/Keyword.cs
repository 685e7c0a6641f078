using System.Runtime.InteropServices;
using System.Text.Json;
using Kvasir.Formats;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>The value of a keyword and where it stands.</summary>
readonly record struct Keyword(JsonElement Value, SchemaPath Path)
{
    /// <summary>The length of its text in bytes, a measure of what it costs to look at all of it.</summary>
    public int Bytes => JsonMarshal.GetRawUtf8Value(Value).Length;

    /// <summary>A count that no text reaches stands for all above it.</summary>
    public int Count()
    {
        if (Value.ValueKind != JsonValueKind.Number || !Value.TryGetDouble(out double count) || count < 0 || count != Math.Floor(count))
            throw Refused("a whole number, 0 or more");
        return (int)Math.Min(count, int.MaxValue);
    }

    public string Text() => Value.ValueKind == JsonValueKind.String ? Value.GetString()! : throw Refused("a string");

    public bool Flag() => Value.ValueKind is JsonValueKind.True or JsonValueKind.False
        ? Value.GetBoolean()
        : throw Refused("true or false");

    /// <summary>The elements of an array.</summary>
    public IReadOnlyList<Keyword> Elements()
    {
        if (Value.ValueKind != JsonValueKind.Array)
            throw Refused("an array");
        SchemaPath path = Path;
        return [.. Value.EnumerateArray().Select((element, i) => new Keyword(element, path.Child($"{i}")))];
    }

    /// <summary>The members of an object by name, in their order; of two with one name, the last.</summary>
    public IReadOnlyDictionary<string, Keyword> Members()
    {
        if (Value.ValueKind != JsonValueKind.Object)
            throw Refused("an object");
        OrderedDictionary<string, Keyword> members = [];
        foreach (JsonProperty member in Value.EnumerateObject())
            members[member.Name] = new(member.Value, Path.Child(member.Name));
        return members;
    }

    public Keyword? Member(string name) => Value.TryGetProperty(name, out JsonElement member) ? new(member, Path.Child(name)) : null;

    /// <summary>Keywords that no value satisfies together; what is said of more than one stands at the first.</summary>
    public static JsonSchemaException Contradiction(IReadOnlyList<Keyword> keywords, string expected) =>
        keywords[0].Refused(string.Concat(keywords.Skip(1).Select(other => $" beside {other.Seen} at {other.Path}"))
            + ": no value satisfies this", expected);

    public JsonSchemaException Refused(string expected) => Refused("", expected);

    JsonSchemaException Refused(string remark, string expected) =>
        JsonSchemaException.At(Path.ToString(), Seen + Printable.Line(remark, limit: 400), expected);

    string Seen => Bytes > 400 ? $"{Value.ValueKind}".ToLowerInvariant() : Printable.Line(Value.GetRawText());
}
