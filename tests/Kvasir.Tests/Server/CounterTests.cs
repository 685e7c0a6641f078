using System.Text.Json;
using System.Text.Json.Nodes;

namespace Kvasir.Tests.Server;

/// <summary>What ends an answer, or must not yet, and what is told of it on the way.</summary>
public sealed class CounterTests
{
    const string Chat = "/v1/chat/completions";

    static JsonObject With(JsonObject body, string more)
    {
        foreach ((string name, JsonNode? value) in JsonNode.Parse(more)!.AsObject())
            body[name] = value?.DeepClone();
        return body;
    }

    static (string Text, string Reason, int Tokens) Read(JsonElement answer)
    {
        JsonElement choice = answer.GetProperty("choices")[0];
        return (choice.GetProperty("message").GetProperty("content").GetString()!, choice.GetProperty("finish_reason").GetString()!,
            answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    static async Task<JsonElement[]> Stream(ServerFixture server, JsonObject body)
    {
        using HttpResponseMessage response = await server.Post(Chat, With(body, """{"stream": true}"""));
        return [.. (await response.Content.ReadAsStringAsync(ServerFixture.Patience)).Split("\n\n")
            .Where(line => line.StartsWith("data: {", StringComparison.Ordinal)).Select(line => JsonDocument.Parse(line[6..]).RootElement)];
    }

    [Fact]
    public async Task An_answer_has_at_least_the_tokens_that_it_is_to_have()
    {
        await using ServerFixture server = await ServerFixture.Start();
        JsonObject Question(string more) => With(ServerFixture.Chat("Who are you?", 60), """{"ignore_eos": false}""") is var body
            ? With(body, more) : body;
        (string text, string reason, int tokens) = Read(await server.Ask(Chat, Question("{}")));
        Assert.Equal("stop", reason);
        (string longer, _, int more) = Read(await server.Ask(Chat, Question($$"""{"min_tokens": {{tokens + 7}}}""")));
        Assert.True(more >= tokens + 7, $"{more} tokens");
        Assert.StartsWith(text, longer, StringComparison.Ordinal);
        (string stopped, _, _) = Read(await server.Ask(Chat, Question("""{"stop": "e"}""")));
        (string later, _, _) = Read(await server.Ask(Chat, Question("""{"stop": "e", "min_tokens": 8}""")));
        Assert.True(later.Length > stopped.Length && !stopped.Contains('e', StringComparison.Ordinal));
        using HttpResponseMessage refused = await server.Post(Chat, Question("""{"min_tokens": 61}"""));
        Assert.Contains("min_tokens: 61, expected at most 60", await refused.Content.ReadAsStringAsync(ServerFixture.Patience),
            StringComparison.Ordinal);
        JsonElement form = await server.Ask(Chat, Question("""
            {"min_tokens": 30, "response_format": {"type": "json_schema", "json_schema": {"schema": {"enum": ["a"]}}}}
            """)); // nothing can follow: it ends all the same
        Assert.Equal(("\"a\"", "stop"), (Read(form).Text, Read(form).Reason));
    }

    [Fact]
    public async Task A_stop_token_ends_the_answer_and_is_a_part_of_it_where_that_was_asked()
    {
        await using ServerFixture server = await ServerFixture.Start();
        (string text, _, _) = Read(await server.Ask(Chat, ServerFixture.Chat("Who are you?", 12)));
        JsonElement pieces = await server.Ask("/tokenize", new JsonObject { ["content"] = text, ["with_pieces"] = true });
        JsonElement token = pieces.GetProperty("tokens")[3];
        (int last, string piece) = (token.GetProperty("id").GetInt32(), token.GetProperty("piece").GetString()!);
        string more = $$"""{"stop_token_ids": [{{last}}]""";
        (string stopped, string reason, int tokens) = Read(await server.Ask(Chat, With(ServerFixture.Chat("Who are you?", 12), more + "}")));
        (string kept, _, _) = Read(await server.Ask(Chat,
            With(ServerFixture.Chat("Who are you?", 12), more + """, "include_stop_str_in_output": true}""")));
        Assert.Equal("stop", reason);
        Assert.True(tokens <= 3);
        Assert.StartsWith(stopped, text, StringComparison.Ordinal);
        Assert.Equal(stopped + piece, kept);
    }

    [Fact]
    public async Task Progress_and_times_come_with_the_stream_and_say_what_was_found()
    {
        await using ServerFixture server = await ServerFixture.Start();
        string text = ServerFixture.LongText(40);
        await server.Ask(Chat, ServerFixture.Chat(text));
        JsonElement[] chunks = await Stream(server, With(ServerFixture.Chat(text + " Why?"),
            """{"return_progress": true, "timings_per_token": true, "stream_options": {"include_usage": true}}"""));
        JsonElement usage = chunks[^1].GetProperty("usage");
        int prompt = usage.GetProperty("prompt_tokens").GetInt32();
        int cached = usage.GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32();
        Assert.True(cached > 100);
        JsonElement[] progress = [.. chunks.Where(chunk => chunk.TryGetProperty("prompt_progress", out _))
            .Select(chunk => chunk.GetProperty("prompt_progress"))];
        Assert.Equal((prompt, cached, prompt), (progress[^1].GetProperty("total").GetInt32(), progress[^1].GetProperty("cache").GetInt32(),
            progress[^1].GetProperty("processed").GetInt32()));
        Assert.Equal((cached, cached), (progress[0].GetProperty("cache").GetInt32(), progress[0].GetProperty("processed").GetInt32()));
        JsonElement[] timings = [.. chunks.Where(chunk => chunk.TryGetProperty("timings", out _))
            .Select(chunk => chunk.GetProperty("timings"))];
        Assert.All(timings, one => Assert.Equal((cached, prompt - cached),
            (one.GetProperty("cache_n").GetInt32(), one.GetProperty("prompt_n").GetInt32())));
        Assert.Equal(8, timings[^1].GetProperty("predicted_n").GetInt32());
        Assert.True(timings.Length > 2); // a token may have no text of its own

        Assert.All(await Stream(server, ServerFixture.Chat(text)), chunk =>
            Assert.False(chunk.TryGetProperty("timings", out _) || chunk.TryGetProperty("prompt_progress", out _)));
        Assert.Equal(8, (await server.Ask(Chat, With(ServerFixture.Chat(text), """{"timings_per_token": true}""")))
            .GetProperty("timings").GetProperty("predicted_n").GetInt32());
    }

    [Fact]
    public async Task Fields_that_nobody_knows_pass_and_are_named()
    {
        await using ServerFixture server = await ServerFixture.Start();
        using HttpResponseMessage response = await server.Post(Chat, With(ServerFixture.Chat("Hi"),
            """{"temprature": 1, "a\r\nb": 2, "text": {"x": 1}, "reasoning": null, "é": 1}"""));
        Assert.True(response.IsSuccessStatusCode);
        Assert.Equal("temprature, a??b, text.x, ?", response.Headers.GetValues("X-Kvasir-Ignored").Single());
    }
}
