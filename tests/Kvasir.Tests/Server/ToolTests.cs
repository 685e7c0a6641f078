using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Server;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary>Calls of tools in every way that families of models write them, by the templates of Templates/corpus.</summary>
public sealed class ToolTests
{
    public static TheoryData<string> Families => ["hermes-tools", "qwen-tools", "smollm3", "llama3-tools", "mistral-v3", "mistral-tekken"];

    static async Task<ServerFixture> Start(string family) => await ServerFixture.Start(options: new ServerOptions
    {
        ChatTemplate = await File.ReadAllTextAsync(
            Path.Combine(Checkout.Root, "tests", "Kvasir.Tests", "Templates", "corpus", $"{family}.jinja"), ServerFixture.Patience),
    });

    static JsonObject Request(JsonArray messages, JsonNode choice) => new()
    {
        ["messages"] = messages,
        ["seed"] = 1,
        ["tool_choice"] = choice,
        ["tools"] = JsonNode.Parse("""
            [{"type": "function", "function": {"name": "weather", "description": "Of a city.", "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}, "required": ["city"], "additionalProperties": false}}},
             {"type": "function", "function": {"name": "noon", "description": "When it is.", "parameters": {"type": "object", "properties": {}, "additionalProperties": false}}}]
            """),
    };

    static JsonArray Question() => [new JsonObject { ["role"] = "user", ["content"] = "How is the weather?" }];

    static void AssertIsCall(string name, string arguments)
    {
        JsonElement value = JsonDocument.Parse(arguments).RootElement;
        Assert.Equal(name == "weather" ? ["city"] : [], value.EnumerateObject().Select(member => member.Name));
    }

    [Theory, MemberData(nameof(Families))]
    public async Task A_required_call_is_one_whole_and_streamed_and_its_result_goes_back_in(string family)
    {
        await using ServerFixture server = await Start(family);
        JsonElement choice = (await server.Ask("/v1/chat/completions", Request(Question(), "required"))).GetProperty("choices")[0];
        Assert.Equal("tool_calls", choice.GetProperty("finish_reason").GetString());
        JsonElement message = choice.GetProperty("message"), calls = message.GetProperty("tool_calls");
        (string, string)[] whole = [.. calls.EnumerateArray().Select(Function)];
        Assert.All(whole, call => AssertIsCall(call.Item1, call.Item2));
        Assert.Equal(whole, await Streamed(server, Request(Question(), "required")));

        JsonArray messages = [.. Question().Select(turn => turn!.DeepClone()), JsonNode.Parse(message.GetRawText())];
        foreach (JsonElement call in calls.EnumerateArray())
            messages.Add(new JsonObject { ["role"] = "tool", ["tool_call_id"] = Id(family, call), ["content"] = "Cold." });
        foreach (JsonNode? call in messages[1]!["tool_calls"]!.AsArray())
            call!["id"] = Id(family, JsonDocument.Parse(call.ToJsonString()).RootElement);
        JsonObject next = Request(messages, "auto");
        next["max_tokens"] = 8;
        Assert.Equal(1, (await server.Ask("/v1/chat/completions", next)).GetProperty("choices").GetArrayLength());
    }

    [Theory, MemberData(nameof(Families))]
    public async Task A_named_call_is_of_that_tool(string family)
    {
        await using ServerFixture server = await Start(family);
        JsonObject request = Request(Question(),
            new JsonObject { ["type"] = "function", ["function"] = new JsonObject { ["name"] = "noon" } });
        JsonElement calls = (await server.Ask("/v1/chat/completions", request)).GetProperty("choices")[0]
            .GetProperty("message").GetProperty("tool_calls");
        Assert.Equal(("noon", "{}"), Assert.Single(calls.EnumerateArray().Select(Function)));
    }

    /// <summary>Mistral's templates take ids of nine characters only.</summary>
    static string Id(string family, JsonElement call) =>
        call.GetProperty("id").GetString()! is var id && family.StartsWith("mistral", StringComparison.Ordinal) ? id[^9..] : id;

    static (string Name, string Arguments) Function(JsonElement call) =>
        (call.GetProperty("function").GetProperty("name").GetString()!, call.GetProperty("function").GetProperty("arguments").GetString()!);

    static async Task<(string, string)[]> Streamed(ServerFixture server, JsonObject request)
    {
        request["stream"] = true;
        using HttpResponseMessage response = await server.Post("/v1/chat/completions", request);
        string[] lines = (await response.Content.ReadAsStringAsync(ServerFixture.Patience))
            .Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        JsonElement[] deltas = [.. lines[..^1].Select(
            line => JsonDocument.Parse(line["data: ".Length..]).RootElement.GetProperty("choices")[0].GetProperty("delta"))];
        Assert.DoesNotContain(deltas,
            delta => delta.TryGetProperty("content", out JsonElement content) && content.GetString() is { Length: > 0 });
        return [.. deltas.Where(delta => delta.TryGetProperty("tool_calls", out _))
            .SelectMany(delta => delta.GetProperty("tool_calls").EnumerateArray()).Select(Function)];
    }
}
