using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Tests.Server;

namespace Kvasir.Tests.Compatibility;

/// <summary>
/// What LiteLLM sends to a server of OpenAI's protocol, through OpenAI's client for Python, and what it reads of the answers. There is no
/// Python here: the requests are written down.
/// </summary>
public sealed class LiteLlmClientTests : ClientTests
{
    const string Path = "/v1/chat/completions";

    static readonly (string, string)[] s_headers =
    [
        ("Authorization", "Bearer sk-none"), ("User-Agent", "OpenAI/Python 2.8.0"), ("X-Stainless-Lang", "python"), ("X-Stainless-Async", "async:asyncio"),
        ("X-Stainless-Package-Version", "2.8.0"), ("X-Stainless-Raw-Response", "true"), ("X-Stainless-Retry-Count", "0"), ("X-Stainless-Read-Timeout", "600.0"),
    ];

    private protected override string Client => "LiteLLM (its requests)";

    private protected override string? Version => null;

    private protected override Dictionary<Feature, Show> Shows { get; } = new()
    {
        [Feature.Chat] = async server =>
        {
            JsonElement answer = await Ask(server, Chat());
            JsonElement choice = answer.GetProperty("choices")[0];
            Assert.Equal((0, "assistant", JsonValueKind.String), (choice.GetProperty("index").GetInt32(),
                choice.GetProperty("message").GetProperty("role").GetString(), choice.GetProperty("finish_reason").ValueKind));
            Assert.NotEmpty(choice.GetProperty("message").GetProperty("content").GetString()!);
            Assert.True(answer.GetProperty("created").GetInt64() > 0);
            Assert.Equal("gpt-4o", answer.GetProperty("model").GetString());
        },
        [Feature.Stream] = Stream,
        [Feature.Cache] = async server =>
        {
            JsonObject chat = Chat(ServerFixture.LongText(20));
            await Ask(server, chat);
            JsonElement usage = (await Ask(server, chat)).GetProperty("usage");
            Assert.Equal(usage.GetProperty("prompt_tokens").GetInt32() - 1,
                usage.GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32());
        },
        [Feature.Tools] = async server =>
        {
            JsonObject chat = Chat();
            (chat["max_tokens"], chat["tool_choice"]) = (200, "required");
            chat["tools"] = JsonNode.Parse($$"""[{"type": "function", "function": {"name": "forecast", "parameters": {{Schema}} } }]""");
            JsonElement choice = (await Ask(server, chat)).GetProperty("choices")[0];
            Assert.Equal("tool_calls", choice.GetProperty("finish_reason").GetString());
            JsonElement call = choice.GetProperty("message").GetProperty("tool_calls")[0];
            Assert.Equal(("function", "forecast"), (call.GetProperty("type").GetString(), call.GetProperty("function").GetProperty("name").GetString()));
            Fits(call.GetProperty("function").GetProperty("arguments").GetString()!);
        },
        [Feature.Reasoning] = async _ =>
        {
            await using ServerFixture thinker = await ScriptedServers.Thinker(new() { AnswersToAllNames = true });
            JsonElement message = (await Ask(thinker, Chat("Hi"))).GetProperty("choices")[0].GetProperty("message");
            Assert.Equal((ScriptedServers.Thoughts, ScriptedServers.Answer),
                (message.GetProperty("reasoning_content").GetString(), message.GetProperty("content").GetString()));
        },
        [Feature.Schema] = async server =>
        {
            JsonObject chat = Chat();
            chat["max_tokens"] = 200;
            chat["response_format"] = JsonNode.Parse($$"""{"type": "json_schema", "json_schema": {"name": "weather", "strict": true, "schema": {{Schema}} } }""");
            Fits((await Ask(server, chat)).GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!);
        },
        [Feature.Embeddings] = async server =>
        {
            JsonElement answer = await server.Ask("/v1/embeddings",
                JsonNode.Parse("""{"input": ["mill", "lake"], "model": "text-embedding-3-small", "encoding_format": "base64"}""")!, headers: s_headers);
            Assert.All(answer.GetProperty("data").EnumerateArray(), vector => Assert.NotEmpty(vector.GetProperty("embedding").GetBytesFromBase64()));
        },
        [Feature.Errors] = async server =>
        {
            JsonObject chat = Chat();
            chat["n"] = 0;
            using HttpResponseMessage response = await server.Post(Path, chat, headers: s_headers);
            JsonElement error = JsonElement.Parse(await response.Content.ReadAsStringAsync(ServerFixture.Patience)).GetProperty("error");
            Assert.Equal((400, "n", "invalid_request_error"),
                ((int)response.StatusCode, error.GetProperty("param").GetString(), error.GetProperty("type").GetString()));
        },
    };

    static JsonObject Chat(string question = Question) => new()
    {
        ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = question }),
        ["model"] = "gpt-4o", ["max_tokens"] = 24, ["temperature"] = 0.0, ["user"] = "default_user_id",
    };

    static Task<JsonElement> Ask(ServerFixture server, JsonObject chat) => server.Ask(Path, chat, headers: s_headers);

    static async Task Stream(ServerFixture server)
    {
        JsonObject chat = Chat();
        (chat["stream"], chat["stream_options"]) = (true, new JsonObject { ["include_usage"] = true });
        using HttpResponseMessage response = await server.Post(Path, chat, headers: s_headers);
        string[] events = (await response.Content.ReadAsStringAsync(ServerFixture.Patience))
            .Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("data: [DONE]", events[^1]);
        JsonElement[] chunks = [.. events[..^1].Select(text => JsonElement.Parse(text["data: ".Length..]))];
        Assert.Single(chunks.Select(chunk => chunk.GetProperty("id").GetString()).Distinct());
        Assert.True(chunks[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32() > 0);
        string text = string.Concat(chunks.SelectMany(chunk => chunk.GetProperty("choices").EnumerateArray())
            .Select(choice => choice.GetProperty("delta").TryGetProperty("content", out JsonElement content) ? content.GetString() : ""));
        Assert.Equal((await Ask(server, Chat())).GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString(), text);
    }
}
