using System.Text.Json;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Sampling.Constraints.Automata;
using Kvasir.Inference.Sampling.Constraints.Gbnf;
using Kvasir.Inference.Sampling.Constraints.Schemas;
using Kvasir.Server.Http;

namespace Kvasir.Server.Serving;

/// <summary>Reads what form a client wants of an answer, by the names of OpenAI, vLLM and llama-server: at most one.</summary>
static class GrammarField
{
    const int MostGrammarCharacters = 1 << 18, MostChoices = 1024, MostChoiceCharacters = 1 << 16;

    /// <summary>The fields of vLLM's <c>structured_outputs</c>, with what each is.</summary>
    static readonly Dictionary<string, Func<Field, OutputGrammar>> s_structured = new()
    {
        ["json"] = SchemaOrText,
        ["json_object"] = JsonObject,
        ["choice"] = Choice,
        ["regex"] = Pattern,
        ["grammar"] = Gbnf,
    };

    static readonly (string Name, Func<Field, OutputGrammar> Read)[] s_fields =
    [
        ("json_schema", Schema),
        ("grammar", Gbnf),
        ("guided_json", SchemaOrText),
        ("guided_choice", Choice),
        ("guided_regex", Pattern),
        ("guided_grammar", Gbnf),
        ("structured_outputs", Structured),
    ];

    /// <summary>What a client wants of the answer's form; null for anything.</summary>
    /// <param name="body">Has the fields that are said of the request itself.</param>
    /// <param name="format">The protocol's own: an object with <c>type</c>.</param>
    /// <param name="schema">Where the schema stands in it when the type says that there is one.</param>
    public static OutputGrammar? Read(Field body, Field format, Func<Field, Field> schema)
    {
        OutputGrammar? grammar = Format(format, schema);
        string? name = grammar is null ? null : format.Path;
        foreach ((string other, Func<Field, OutputGrammar> read) in s_fields)
        {
            Field field = body[other];
            if (IsNone(field))
                continue;
            grammar = name is null ? read(field) : throw field.Wrong($"none beside {name}: an answer has one form");
            name = other;
        }
        return grammar;
    }

    /// <summary>Ollama's <c>format</c>: <c>"json"</c>, or a schema; null for anything.</summary>
    public static OutputGrammar? ReadFormat(Field format) => format.IsAbsent || (format.IsString && format.Text()!.Length == 0) ? null
        : format.IsObject ? Schema(format)
        : format.OneOf("json") is not null ? OutputGrammar.JsonObject()
        : null;

    /// <summary>llama-server's clients send an empty grammar for none.</summary>
    static bool IsNone(Field field) => field.IsAbsent || (field.Path == "grammar" && field.IsString && field.Text()!.Length == 0);

    static OutputGrammar? Format(Field format, Func<Field, Field> schema)
    {
        switch (format["type"].OneOf("text", "json_object", "json_schema"))
        {
            case "json_object":
                return format["schema"].IsAbsent ? OutputGrammar.JsonObject() : Schema(format["schema"]);
            case "json_schema":
                format.CheckAlternatives("json_schema", "schema"); // llama-server's manual has it there, in all protocols
                return Schema(format["schema"].IsAbsent ? schema(format) : format["schema"]);
            default:
                return format.IsAbsent || format["schema"].IsAbsent
                    ? null
                    : throw format["schema"].Wrong("none, or the type json_object or json_schema");
        }
    }

    static OutputGrammar Structured(Field field)
    {
        OutputGrammar? grammar = null;
        foreach ((string name, Field member) in field.Members(16))
            if (!member.IsAbsent)
                grammar = !s_structured.TryGetValue(name, out Func<Field, OutputGrammar>? read)
                    ? throw member.Wrong("json, json_object, choice, regex or grammar; others are not supported")
                    : grammar is null ? read(member) : throw member.Wrong("one of json, json_object, choice, regex and grammar");
        return grammar ?? throw field.Wrong("json, json_object, choice, regex or grammar in it");
    }

    static OutputGrammar JsonObject(Field field) => field.Truth() == true ? OutputGrammar.JsonObject() : throw field.Wrong("true");

    static OutputGrammar Schema(Field field) => field.IsObject || field.Json.ValueKind is JsonValueKind.True
        ? Schema(field, field.Json)
        : throw field.Wrong("a JSON schema: an object");

    /// <summary>vLLM takes a schema as it is, or as the text of one.</summary>
    static OutputGrammar SchemaOrText(Field field)
    {
        if (!field.IsString)
            return Schema(field);
        try
        {
            using var json = JsonDocument.Parse(field.Text()!);
            return Schema(new Field(field.Path, json.RootElement));
        }
        catch (JsonException)
        {
            throw field.Wrong("a JSON schema or the text of one");
        }
    }

    static OutputGrammar Schema(Field field, JsonElement schema)
    {
        try
        {
            return OutputGrammar.JsonSchema(schema);
        }
        catch (JsonSchemaException e)
        {
            throw new RequestException(400, $"{field.Path}: {e.Message}", field.Path, "invalid_schema");
        }
    }

    static OutputGrammar Choice(Field field)
    {
        string[] texts = [.. field.Items(MostChoices).Select(item => item.Text() ?? throw item.Missing("a string"))];
        return texts.Length > 0 && texts.Sum(text => text.Length) <= MostChoiceCharacters
            ? OutputGrammar.OneOf(texts)
            : throw field.Wrong($"one to {MostChoices:N0} texts of at most {MostChoiceCharacters:N0} characters together");
    }

    static OutputGrammar Pattern(Field field)
    {
        try
        {
            return OutputGrammar.Pattern(field.Text(MostGrammarCharacters)!);
        }
        catch (PatternException e)
        {
            throw new RequestException(400, $"{field.Path}: expected a regular expression without {e.Message}", field.Path,
                "invalid_grammar");
        }
    }

    static OutputGrammar Gbnf(Field field)
    {
        try
        {
            return OutputGrammar.Gbnf(field.Text(MostGrammarCharacters)!);
        }
        catch (GbnfException e)
        {
            throw new RequestException(400, $"{field.Path}: {e.Message}", field.Path, "invalid_grammar");
        }
    }
}
