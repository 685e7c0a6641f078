using System.Text.Json;
using Kvasir.Inference.Formats;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>A schema as it came, checked to be of bounded size and to hold nothing but Unicode, and the places in it that references name.</summary>
sealed class SchemaDocument
{
    const int MaxDepth = 64, MaxElements = 100_000;

    readonly JsonElement _root;
    int _elements;

    public SchemaDocument(JsonElement root)
    {
        _root = root;
        Check(root, "#", 0);
    }

    public Keyword Root => new(_root, "#");

    /// <summary>What a reference within the document names.</summary>
    public Keyword Resolve(Keyword reference)
    {
        string text = reference.Text();
        if (text != "#" && !text.StartsWith("#/", StringComparison.Ordinal))
            throw reference.Refused("a reference into this schema: # or #/…");
        Keyword at = Root;
        foreach (string step in text.Split('/')[1..])
            at = Step(at, Uri.UnescapeDataString(step).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal))
                ?? throw reference.Refused("a place that exists");
        return at;
    }

    static Keyword? Step(Keyword at, string name)
    {
        if (at.Value.ValueKind == JsonValueKind.Object && at.Value.TryGetProperty(name, out JsonElement member))
            return new(member, Keyword.Child(at.Pointer, name));
        bool isElement = at.Value.ValueKind == JsonValueKind.Array && int.TryParse(name, out int i) && i >= 0 && i < at.Value.GetArrayLength();
        return isElement ? at.Elements()[int.Parse(name, null)] : null;
    }

    void Check(JsonElement element, string pointer, int depth)
    {
        if (depth > MaxDepth)
            throw JsonSchemaException.At(pointer, "a schema nested deeper", $"at most {MaxDepth} levels");
        if (++_elements > MaxElements)
            throw JsonSchemaException.At(pointer, "a schema of more values", $"at most {MaxElements}");
        if (element.ValueKind == JsonValueKind.String)
            CheckText(() => element.GetString(), pointer);
        else if (element.ValueKind == JsonValueKind.Array)
            foreach ((int i, JsonElement item) in element.EnumerateArray().Index())
                Check(item, $"{pointer}/{i}", depth + 1);
        else if (element.ValueKind == JsonValueKind.Object)
            foreach (JsonProperty member in element.EnumerateObject())
                Check(member.Value, Keyword.Child(pointer, CheckText(() => member.Name, pointer)), depth + 1);
    }

    /// <summary>JSON's escapes can spell halves of surrogate pairs, which are found only when the text is asked for.</summary>
    static string CheckText(Func<string?> text, string pointer)
    {
        try
        {
            return text()!;
        }
        catch (InvalidOperationException)
        {
            throw JsonSchemaException.At(pointer, "a text with half a surrogate pair", "Unicode");
        }
    }
}
