using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Inference;
using Kvasir.Server;
using Kvasir.Tests.Fixtures;
using Microsoft.Extensions.AI;

namespace Kvasir.Tests.Server;

/// <summary>Thoughts in all protocols, of a model that says what it is told to: its markers are cut over tokens.</summary>
public sealed class ReasoningTests : IAsyncLifetime
{
    ServerFixture _server = null!, _sure = null!;

    public async ValueTask InitializeAsync() => (_server, _sure) = (await ScriptedServers.Thinker(),
        await ServerFixture.Start(script: new ScriptedModel("<think>", "hm", "</think>", "no JSON")));

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _sure.DisposeAsync();
    }

    static JsonObject Request(string more = "{}")
    {
        JsonObject request = JsonNode.Parse("""{"messages": [{"role": "user", "content": "Hi"}], "temperature": 0, "max_tokens": 40}""")!.AsObject();
        foreach ((string name, JsonNode? value) in JsonNode.Parse(more)!.AsObject())
            request[name] = value?.DeepClone();
        return request;
    }

    static async Task<(string? Thoughts, string? Text, int Tokens)> Chat(ServerFixture server, string more = "{}")
    {
        JsonElement answer = await server.Ask("/v1/chat/completions", Request(more));
        JsonElement message = answer.GetProperty("choices")[0].GetProperty("message");
        string? thoughts = message.TryGetProperty("reasoning_content", out JsonElement said) ? said.GetString() : null;
        JsonElement[] deltas = await Streamed.Deltas(server, Request(more));
        Assert.Equal((thoughts ?? "", message.GetProperty("content").GetString()),
            (Streamed.Joined(deltas, "reasoning_content"), Streamed.Joined(deltas, "content")));
        return (thoughts, message.GetProperty("content").GetString(), answer.GetProperty("usage").GetProperty("completion_tokens_details")
            .GetProperty("reasoning_tokens").GetInt32());
    }

    [Fact]
    public async Task Chats_tell_thoughts_apart_unless_they_are_asked_not_to()
    {
        Assert.Equal(("I wonder.", "Hello!", 6), await Chat(_server));
        Assert.Equal((null, "<think>\nI wonder. </think>\n\nHello!", 6), await Chat(_server, """{"reasoning_format": "none"}"""));
        Assert.Equal((null, "Hello!", 6), await Chat(_server, """{"include_reasoning": false}"""));
        Assert.Equal(("I wonder.", "Hello", 6), await Chat(_server, """{"stop": ["!", "won"]}"""));
    }

    [Fact]
    public async Task Llama_servers_old_format_has_them_in_the_text_of_streams()
    {
        const string Old = """{"reasoning_format": "deepseek-legacy"}""";
        JsonElement message = (await _server.Ask("/v1/chat/completions", Request(Old))).GetProperty("choices")[0].GetProperty("message");
        Assert.Equal(("I wonder.", "Hello!"),
            (message.GetProperty("reasoning_content").GetString(), message.GetProperty("content").GetString()));
        Assert.Equal("<think>\nI wonder. </think>\n\nHello!", Streamed.Joined(await Streamed.Deltas(_server, Request(Old)), "content"));
    }

    [Theory]
    [InlineData("""{"thinking_budget_tokens": 1}""", "I won", 5)]
    [InlineData("""{"thinking": {"type": "enabled", "budget_tokens": 1}}""", "I won", 5)]
    [InlineData("""{"reasoning_effort": "none", "chat_template_kwargs": {"enable_thinking": true}}""", null, 4)]
    public async Task A_budget_ends_thoughts_and_the_answer_comes(string more, string? thoughts, int tokens)
    {
        (string? told, string? text, int counted) = await Chat(_sure, more.Replace(": 1", ": 0", StringComparison.Ordinal));
        Assert.Equal((null, "no JSON", 2), (told, text, counted));
        Assert.Equal((thoughts, tokens), await Chat(_server, more) is var (cut, _, cutTokens) ? (cut, cutTokens) : default);
    }

    [Fact]
    public async Task A_schema_holds_for_what_comes_behind_the_thoughts()
    {
        (string? thoughts, string? text, int tokens) = await Chat(_sure, """
            {"response_format": {"type": "json_schema", "json_schema": {"schema":
                {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"], "additionalProperties": false}}}}
            """);
        Assert.Equal(("hm", 1, 3), (thoughts, JsonDocument.Parse(text!).RootElement.GetProperty("a").GetInt32(), tokens));
    }

    /// <summary>In the manner of gpt-oss: what is held to a form, or to calls, stands in a frame of its own behind the thoughts.</summary>
    [Fact]
    public async Task Forms_and_calls_hold_in_channels_of_their_own()
    {
        ScriptedModel script = new("<|message|>", "Hm.", "<|end|>", "<|channel|>", "<|start|>", "<|call|>", "<|return|>");
        await using ServerFixture server = await ServerFixture.Start(script: script, options: new ServerOptions
        {
            ChatTemplate = await File.ReadAllTextAsync(
                Path.Combine(Checkout.Root, "tests", "Kvasir.Tests", "Templates", "corpus", "harmony.jinja"), ServerFixture.Patience),
        });
        (string? thoughts, string? text, _) = await Chat(server, """{"max_tokens": 200, "json_schema": {"enum": [7]}}""");
        Assert.Equal(("Hm.", "7"), (thoughts, text));
        JsonElement message = (await server.Ask("/v1/chat/completions", Request("""
            {"max_tokens": 200, "tool_choice": "required", "tools": [{"type": "function", "function": {"name": "noon", "description": "When.",
             "parameters": {"type": "object", "properties": {}, "additionalProperties": false}}}]}
            """))).GetProperty("choices")[0].GetProperty("message"), function = message.GetProperty("tool_calls")[0].GetProperty("function");
        Assert.Equal(("Hm.", "noon", "{}"), (message.GetProperty("reasoning_content").GetString(), function.GetProperty("name").GetString(),
            function.GetProperty("arguments").GetString()));
    }

    [Fact]
    public async Task Anthropics_messages_have_blocks_of_thoughts_with_a_signature()
    {
        JsonElement[] blocks = [.. (await _server.Ask("/v1/messages", Request())).GetProperty("content").EnumerateArray()];
        Assert.Equal(("thinking", "I wonder.", "text", "Hello!"), (blocks[0].GetProperty("type").GetString(),
            blocks[0].GetProperty("thinking").GetString(), blocks[1].GetProperty("type").GetString(), blocks[1].GetProperty("text").GetString()));
        JsonElement[] events = await Streamed.Events(_server, "/v1/messages", Request());
        JsonElement[] deltas = [.. events.Where(one => one.GetProperty("type").GetString() == "content_block_delta")
            .Select(one => one.GetProperty("delta"))];
        Assert.Equal(("I wonder.", "Hello!", blocks[0].GetProperty("signature").GetString()),
            (Streamed.Joined(deltas, "thinking"), Streamed.Joined(deltas, "text"), Streamed.Joined(deltas, "signature")));
        JsonElement omitted = await _server.Ask("/v1/messages", Request("""{"thinking": {"type": "adaptive", "display": "omitted"}}"""));
        Assert.Equal("", omitted.GetProperty("content")[0].GetProperty("thinking").GetString());
    }

    [Fact]
    public async Task Responses_have_reasoning_items_and_their_events()
    {
        JsonObject request = JsonNode.Parse("""{"input": "Hi", "temperature": 0, "max_output_tokens": 40}""")!.AsObject();
        JsonElement whole = await _server.Ask("/v1/responses", request), output = whole.GetProperty("output");
        Assert.Equal(("reasoning", "I wonder.", "message", "Hello!"), (output[0].GetProperty("type").GetString(),
            output[0].GetProperty("content")[0].GetProperty("text").GetString(), output[1].GetProperty("type").GetString(),
            output[1].GetProperty("content")[0].GetProperty("text").GetString()));
        Assert.Equal(6, whole.GetProperty("usage").GetProperty("output_tokens_details").GetProperty("reasoning_tokens").GetInt32());
        JsonElement[] events = await Streamed.Events(_server, "/v1/responses", request);
        string Of(string type) => Streamed.Joined(events.Where(one => one.GetProperty("type").GetString() == type), "delta");
        Assert.Equal(("I wonder.", "Hello!"), (Of("response.reasoning_text.delta"), Of("response.output_text.delta")));
    }

    [Fact]
    public async Task Thoughts_of_earlier_turns_reach_the_template_by_all_roads()
    {
        const string Question = """{"role": "user", "content": "Hi"}""", Next = """{"role": "user", "content": "And?"}""";
        async Task<int> Count(string path, string body, string name) =>
            (await _server.Ask(path, JsonNode.Parse(body)!)).GetProperty(name).GetInt32();
        Task<int> Chats(string thoughts) =>
            Count("/tokenize", $$"""{"messages": [{{Question}}, {"role": "assistant", {{thoughts}} "content": "Yes."}, {{Next}}]}""", "count");
        int with = await Chats("\"reasoning_content\": \"Hm, hm.\","), without = await Chats("");
        Assert.True(with > without + 7, $"{with} and {without} tokens");
        Assert.Equal(with, await Chats("\"reasoning\": \"Hm, hm.\","));
        Assert.Equal(with, await Count("/v1/messages/count_tokens", $$"""
            {"max_tokens": 1, "messages": [{{Question}}, {"role": "assistant", "content":
              [{"type": "thinking", "thinking": "Hm, hm.", "signature": "x"}, {"type": "redacted_thinking", "data": "y"},
               {"type": "text", "text": "Yes."}]}, {{Next}}]}
            """, "input_tokens"));
        Assert.Equal(with, await Count("/v1/responses/input_tokens", $$"""
            {"input": [{{Question}}, {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm, hm."}]},
              {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]}, {{Next}}]}
            """, "input_tokens"));
    }

    /// <summary>As Qwen 3's and DeepSeek's templates do; what an answer takes of the cache ends where its thoughts began.</summary>
    [Fact]
    public async Task Turns_whose_template_drops_thoughts_reuse_all_before_them_and_say_so()
    {
        await using ServerFixture server = await ServerFixture.Start(script: new ScriptedModel("<think>", "hm", "</think>", "no JSON"),
            options: new ServerOptions
            {
                ChatTemplate = ScriptedModel.Template.ReplaceLineEndings("\n")
                    .Replace("if message.reasoning_content -", "if message.reasoning_content and loop.last -", StringComparison.Ordinal),
            });
        JsonArray messages = [];
        int[] before = [];
        for (int turn = 1; turn <= 3; turn++)
        {
            messages.Add(JsonNode.Parse($$"""{"role": "user", "content": "This is question {{turn}} of three."}"""));
            JsonObject request = Request();
            request["messages"] = messages.DeepClone();
            int[] prompt = [.. (await server.Ask("/tokenize", new JsonObject { ["messages"] = messages.DeepClone() }))
                .GetProperty("tokens").EnumerateArray().Select(token => token.GetInt32())];
            JsonElement answer = await server.Ask("/v1/chat/completions", request, null, ("X-Kvasir-Explain", "1"));
            JsonElement message = answer.GetProperty("choices")[0].GetProperty("message");
            Assert.Equal("hm", message.GetProperty("reasoning_content").GetString());
            if (turn > 1)
            {
                Assert.Equal(before.Length, prompt.AsSpan().CommonPrefixLength(before)); // thoughts come right behind the last prompt
                Assert.Equal(before.Length,
                    answer.GetProperty("usage").GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32());
                JsonElement miss = answer.GetProperty("kvasir").GetProperty("miss")[0];
                Assert.Equal((before.Length, "diverged"), (miss.GetProperty("from").GetInt32(), miss.GetProperty("reason").GetString()));
                Assert.EndsWith("was \"<think>\", thoughts of an earlier turn are left away", miss.GetProperty("detail").GetString(),
                    StringComparison.Ordinal);
            }
            before = prompt;
            messages.Add(JsonNode.Parse(message.GetRawText()));
        }
    }

    [Fact]
    public async Task The_chat_client_tells_them_as_reasoning()
    {
        using KvasirChatClient client = new(_server.Engine);
        ChatResponse response = await client.GetResponseAsync("Hi", new() { MaxOutputTokens = 40 }, ServerFixture.Patience);
        Assert.Equal(("I wonder.", "Hello!", 6), (string.Concat(response.Messages[0].Contents.OfType<TextReasoningContent>()
            .Select(content => content.Text)), response.Text, response.Usage!.ReasoningTokenCount));
        ChatResponse quiet = await client.GetResponseAsync("Hi",
            new() { MaxOutputTokens = 40, Reasoning = new() { Output = ReasoningOutput.None } }, ServerFixture.Patience);
        Assert.Equal(["Hello!"], quiet.Messages[0].Contents.OfType<AIContent>().Where(content => content is not UsageContent)
            .Select(content => content.ToString()));
    }
}
