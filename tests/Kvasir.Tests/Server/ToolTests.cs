using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Server;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary>
/// Calls of tools in every way that families of models write them, by the templates of Templates/corpus; that of ChatML knows no tools.
/// </summary>
public sealed class ToolTests
{
    public static TheoryData<string> Families => ["hermes-tools", "qwen-tools", "smollm3", "llama3-tools", "mistral-v3", "mistral-tekken", "chatml"];

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
        JsonElement[] deltas = await Streamed.Deltas(server, Request(Question(), "required"));
        Assert.Equal(whole, Streamed.Calls(deltas));
        Assert.Equal("", Streamed.Joined(deltas, "content"));

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

    [Fact]
    public async Task A_call_that_is_cut_off_is_a_part_of_one_or_nothing_and_never_text()
    {
        await using ServerFixture server = await Start("hermes-tools");
        for (int most = 1; most < 40; most += 2)
        {
            JsonObject request = Request(Question(), "required");
            request["max_tokens"] = most;
            JsonElement choice = (await server.Ask("/v1/chat/completions", request)).GetProperty("choices")[0], message = choice.GetProperty("message");
            if (choice.GetProperty("finish_reason").GetString() != "length")
                return;
            Assert.True(message.GetProperty("content").GetString() is null or "", message.ToString());
            JsonElement[] deltas = await Streamed.Deltas(server, request);
            Assert.Equal("", Streamed.Joined(deltas, "content"));
            Assert.Equal(message.TryGetProperty("tool_calls", out JsonElement calls) ? [.. calls.EnumerateArray().Select(Function)] : [],
                Streamed.Calls(deltas));
        }
    }

    [Fact]
    public async Task Arguments_come_as_they_are_written()
    {
        await using ServerFixture server = await Start("hermes-tools");
        JsonElement[] deltas = await Streamed.Deltas(server,
            Request(Question(), JsonNode.Parse("""{"type": "function", "function": {"name": "weather"}}""")!));
        Assert.True(deltas.Count(delta => delta.TryGetProperty("tool_calls", out _)) > 4, string.Join('\n', deltas));
        JsonElement[] events = await Streamed.Events(server, "/v1/messages", JsonNode.Parse("""
            {"messages": [{"role": "user", "content": "How is the weather?"}], "max_tokens": 100, "seed": 1, "tool_choice": {"type": "any"},
             "tools": [{"type": "web_search_20250305", "name": "web_search"},
               {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}, "required": ["city"], "additionalProperties": false}}]}
            """)!.AsObject());
        string[] pieces = [.. events.Where(one => one.GetProperty("type").GetString() == "content_block_delta")
            .Select(one => one.GetProperty("delta").GetProperty("partial_json").GetString()!)];
        Assert.True(pieces.Length > 2);
        AssertIsCall("weather", string.Concat(pieces));
    }

    [Fact]
    public async Task Allowed_tools_are_all_that_the_model_hears_of_and_may_call()
    {
        await using ServerFixture server = await Start("hermes-tools");
        JsonNode Allowed(string name) => JsonNode.Parse($$$"""
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "{{{name}}}"}}]}}
            """)!;
        JsonElement answer = await server.Ask("/v1/chat/completions", Request(Question(), Allowed("noon")));
        Assert.Equal(("noon", "{}"), Assert.Single(answer.GetProperty("choices")[0].GetProperty("message").GetProperty("tool_calls")
            .EnumerateArray().Select(Function)));
        JsonObject alone = Request(Question(), "required");
        alone["tools"]!.AsArray().RemoveAt(0);
        Assert.Equal((await server.Ask("/v1/chat/completions", alone)).GetProperty("usage").GetProperty("prompt_tokens").GetInt32(),
            answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
        using HttpResponseMessage unknown = await server.Post("/v1/chat/completions", Request(Question(), Allowed("rain")));
        Assert.Contains("tool_choice.allowed_tools.tools[0].function.name", await unknown.Content.ReadAsStringAsync(ServerFixture.Patience),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tools_of_servers_are_skipped_and_named_and_others_refused()
    {
        await using ServerFixture server = await Start("hermes-tools");
        JsonObject Response(string type) => JsonNode.Parse($$"""
            {"input": "Hi", "max_output_tokens": 4, "tools": [{"type": "{{type}}", "name": "a"}]}
            """)!.AsObject();
        using HttpResponseMessage skipped = await server.Post("/v1/responses", Response("web_search")),
            refused = await server.Post("/v1/responses", Response("custom")),
            without = await server.Post("/v1/messages", JsonNode.Parse("""
                {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, "mcp_servers": [{"type": "url", "url": "https://x.example"}]}
                """)!);
        Assert.Equal((200, "mcp_servers"), ((int)without.StatusCode, string.Join(',', without.Headers.GetValues("X-Kvasir-Ignored"))));
        Assert.Equal((200, "tools[0].web_search"), ((int)skipped.StatusCode, string.Join(',', skipped.Headers.GetValues("X-Kvasir-Ignored"))));
        Assert.Contains("tools[0].type: 'custom', expected 'function'", await refused.Content.ReadAsStringAsync(ServerFixture.Patience),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_template_that_loops_over_tools_writes_a_chat_without_any()
    {
        await using ServerFixture server = await ServerFixture.Start(options: new ServerOptions
        {
            ChatTemplate = "{% for tool in tools %}{{ tool }}{% endfor %}{{ messages[0].content }}",
        });
        await server.Ask("/v1/chat/completions", ServerFixture.Chat("Hi"));
    }
}
