using System.Text.Json;
using Kvasir.Inference.Sampling.Constraints.Automata;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>
/// A schema as it came, checked to be of bounded size and to hold nothing but Unicode, and the places in it that references name.
/// </summary>
sealed class SchemaDocument
{
    const int MaxDepth = 64, MaxElements = 100_000;

    int _elements;

    public SchemaDocument(JsonElement root)
    {
        Root = new(root, SchemaPath.Root);
        Check(Root, 0);
    }

    public Keyword Root { get; }

    /// <summary>What it may still cost to prepare the schema.</summary>
    public WorkLimit Work { get; } = new(WorkLimit.PerGrammar);

    /// <summary>What a reference within the document names.</summary>
    public Keyword Resolve(Keyword reference)
    {
        string text = reference.Text();
        if (text != "#" && !text.StartsWith("#/", StringComparison.Ordinal))
            throw reference.Refused("a reference into this schema: # or #/…");
        Keyword at = Root;
        foreach (string step in text.Split('/')[1..])
            at = Step(at,
                Uri.UnescapeDataString(step).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal))
                ?? throw reference.Refused("a place that exists");
        return at;
    }

    Keyword? Step(Keyword at, string name)
    {
        if (at.Value.ValueKind == JsonValueKind.Object)
        {
            Work.Spend(at.Value.GetPropertyCount());
            return at.Member(name);
        }
        if (at.Value.ValueKind != JsonValueKind.Array || !int.TryParse(name, out int i) || i < 0 || i >= at.Value.GetArrayLength())
            return null;
        Work.Spend(at.Value.GetArrayLength());
        return new(at.Value[i], at.Path.Child(name));
    }

    void Check(Keyword at, int depth)
    {
        if (depth > MaxDepth)
            throw JsonSchemaException.At(at.Path.ToString(), "a schema nested deeper", $"at most {MaxDepth} levels");
        if (++_elements > MaxElements)
            throw JsonSchemaException.At(at.Path.ToString(), "a schema of more values", $"at most {MaxElements}");
        if (at.Value.ValueKind == JsonValueKind.String)
            CheckText(() => at.Value.GetString(), at.Path);
        else if (at.Value.ValueKind == JsonValueKind.Array)
            foreach ((int i, JsonElement item) in at.Value.EnumerateArray().Index())
                Check(new(item, at.Path.Child($"{i}")), depth + 1);
        else if (at.Value.ValueKind == JsonValueKind.Object)
            foreach (JsonProperty member in at.Value.EnumerateObject())
                Check(new(member.Value, at.Path.Child(CheckText(() => member.Name, at.Path))), depth + 1);
    }

    /// <summary>JSON's escapes can spell halves of surrogate pairs, which are found only when the text is asked for.</summary>
    static string CheckText(Func<string?> text, SchemaPath path)
    {
        try
        {
            return text()!;
        }
        catch (InvalidOperationException)
        {
            throw JsonSchemaException.At(path.ToString(), "a text with half a surrogate pair", "Unicode");
        }
    }
}
