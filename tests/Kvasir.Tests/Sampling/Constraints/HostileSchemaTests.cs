using System.Diagnostics;
using System.Text.Json;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Sampling.Constraints.Schemas;

namespace Kvasir.Tests.Sampling.Constraints;

/// <summary>Schemas come from strangers: whatever they say, the answer comes soon and costs little.</summary>
public class HostileSchemaTests
{
    static readonly TimeSpan s_soon = TimeSpan.FromSeconds(20); // an order above what the slowest takes on a busy machine

    static string Join(int count, Func<int, string> part) => string.Join(',', Enumerable.Range(0, count).Select(part));

    static string Nested(string before, int times, string middle, string after) =>
        string.Concat(Enumerable.Repeat(before, times)) + middle + string.Concat(Enumerable.Repeat(after, times));

    public static TheoryData<string, string> Refused => new()
    {
        { "deep", Nested("{\"items\":", 200, "{}", "}") },
        { "deep values", Nested("{\"type\":\"array\",\"minItems\":1,\"items\":", 52, "{}", "}") },
        { "alternatives of alternatives",
            $"{{\"allOf\":[{Join(40, _ => "{\"anyOf\":[{\"minLength\":1},{\"minLength\":2},{\"minLength\":3}]}")}]}}" },
        { "an automaton of 2^60 states", "{\"pattern\":\"a.{60}$\"}" },
        { "a pattern with copies of copies", "{\"pattern\":\"^((((a{1000}){1000}){1000}){1000})$\"}" },
        { "nothing, very often", "{\"pattern\":\"^(((()){99999}){99999}){99999}$\"}" },
        { "groups without end", $"{{\"pattern\":\"{Nested("(", 100_000, "a", ")")}\"}}" },
        { "a length beside a pattern", "{\"pattern\":\"^[a-z]*$\",\"minLength\":1000000}" },
        { "many long names",
            $"{{\"properties\":{{{Join(3000, i => $"\"{new string('x', 500)}{i}\":{{}}")}}},\"additionalProperties\":true}}" },
        { "many values", $"{{\"enum\":[{Join(99_000, i => $"\"value {i}\"")}]}}" },
        { "many properties", $"{{\"properties\":{{{Join(20_000, i => $"\"{i}\":{{}}")}}}}}" },
        { "references in a row", $"{{\"$ref\":\"#/$defs/0\",\"$defs\":{{{Join(500, i => $"\"{i}\":{{\"anyOf\":[{{\"$ref\":\"#/$defs/{i + 1}\"}},{{\"items\":{{\"$ref\":\"#/$defs/{i + 1}\"}}}}]}}")},\"500\":{{}}}}}}" },
        { "no finite value", "{\"type\":\"array\",\"minItems\":1,\"items\":{\"$ref\":\"#\"}}" },
    };

    [Theory, MemberData(nameof(Refused))]
    public void Schemas_beyond_all_bounds_are_refused(string what, string schema)
    {
        Stopwatch watch = Stopwatch.StartNew();
        using var json = JsonDocument.Parse(schema, new JsonDocumentOptions { MaxDepth = 1000 });
        var refused = Assert.Throws<JsonSchemaException>(() => OutputGrammar.JsonSchema(json.RootElement));
        Assert.True(refused.Message.Length < 1000, $"{what}: {refused.Message}");
        Assert.True(watch.Elapsed < s_soon, $"{what} took {watch.Elapsed}");
    }

    public static TheoryData<string, string> Used => new()
    {
        { "long strings", "{\"type\":\"string\",\"minLength\":50,\"maxLength\":1000000000}" },
        { "long arrays", "{\"type\":\"array\",\"items\":{\"type\":\"boolean\"},\"minItems\":60,\"maxItems\":1000000000}" },
        { "two ways into every level", "{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"object\",\"properties\":{\"x\":{\"$ref\":\"#\"},\"a\":{\"const\":1}},\"required\":[\"x\",\"a\"]},{\"type\":\"object\",\"properties\":{\"x\":{\"$ref\":\"#\"},\"b\":{\"const\":1}},\"required\":[\"x\",\"b\"]}]}" },
        { "two thousand optional properties",
            $"{{\"type\":\"object\",\"properties\":{{{Join(2000, i => $"\"p{i}\":{{\"type\":\"boolean\"}}")}}}}}" },
        { "a thousand values", $"{{\"enum\":[{Join(1000, i => $"\"the value {i}\"")}]}}" },
        { "ways without number to say one thing", $"{{\"$ref\":\"#/$defs/0\",\"$defs\":{{{Join(14, i => $"\"{i}\":{{\"anyOf\":[{{\"$ref\":\"#/$defs/{i + 1}\"}},{{\"title\":\"again\",\"$ref\":\"#/$defs/{i + 1}\"}}]}}")},\"14\":{{\"type\":\"boolean\"}}}}}}" },
    };

    [Theory, MemberData(nameof(Used))]
    public void Schemas_within_bounds_are_held_to_at_bounded_cost(string what, string schema)
    {
        Stopwatch watch = Stopwatch.StartNew();
        using var json = JsonDocument.Parse(schema);
        string text = new Completion(OutputGrammar.JsonSchema(json.RootElement), ConstraintVocabularies.SagaTrie, new Random(1)).Run();
        Assert.True(SchemaValidator.IsValid(schema, text), $"{what}: {text}");
        Assert.True(watch.Elapsed < s_soon, $"{what} took {watch.Elapsed}");
    }

    [Fact]
    public void Stacks_that_cannot_be_told_apart_are_shared()
    {
        using var json = JsonDocument.Parse(Used.Single(row => row.Data.Item1 == "two ways into every level").Data.Item2);
        ConstrainedText text = new(OutputGrammar.JsonSchema(json.RootElement), ConstraintVocabularies.BytesTrie);
        Stopwatch watch = Stopwatch.StartNew();
        for (int level = 0; level < 40; level++) // 2^40 stacks if each had its own
            foreach (char letter in "{\"x\":")
                text.Accept(letter);
        foreach (char letter in "null" + string.Concat(Enumerable.Range(0, 40).Select(level => $",\"{"ab"[level % 2]}\":1}}")))
        {
            Assert.True(text.Allows(letter));
            text.Accept(letter);
        }
        Assert.True(text.MustEnd);
        Assert.True(watch.Elapsed < s_soon, $"took {watch.Elapsed}");
    }
}
