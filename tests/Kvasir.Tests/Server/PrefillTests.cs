using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary>Last messages of the assistant that are gone on with.</summary>
public sealed class PrefillTests : IAsyncLifetime
{
    const string User = """{"role": "user", "content": "Say it."}""", Begun = """{"role": "assistant", "content": "Hel"}""";

    readonly TemporaryFolder _folder = new();
    ServerFixture _server = null!;

    public async ValueTask InitializeAsync() =>
        _server = await ServerFixture.Start(model: new ScriptedModel("Hel", "lo ", "wor", "ld!").WriteTo(_folder["a.gguf"]));

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Dispose();
    }

    static JsonObject Request(string messages, string more = "") =>
        JsonNode.Parse($$"""{"messages": [{{messages}}], "temperature": 0, "max_tokens": 40{{more}}}""")!.AsObject();

    async Task<string> Chat(string messages, string more = "")
    {
        JsonElement answer = await _server.Ask("/v1/chat/completions", Request(messages, more));
        string text = answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;
        Assert.Equal(text, Streamed.Joined(await Streamed.Deltas(_server, Request(messages, more)), "content"));
        return text;
    }

    async Task<string> Refused(string path, string messages, string more = "")
    {
        using HttpResponseMessage response = await _server.Post(path, Request(messages, more));
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        JsonElement error = JsonDocument.Parse(await response.Content.ReadAsStringAsync(ServerFixture.Patience)).RootElement
            .GetProperty("error");
        return error.GetProperty("message").GetString()!;
    }

    [Fact]
    public async Task A_chat_goes_on_with_a_last_message_of_the_assistant()
    {
        Assert.Equal("lo world!", await Chat($"{User},{Begun}"));
        Assert.Equal("lo world!", await Chat($"{User},{Begun}", """, "continue_final_message": true, "add_generation_prompt": false"""));
        Assert.Equal("Hello world!", await Chat($"{User},{Begun}", """, "continue_final_message": false"""));
        Assert.Equal("Hello world!", await Chat(User));
    }

    [Fact]
    public async Task Anthropics_messages_go_on_under_their_own_rules()
    {
        JsonElement answer = await _server.Ask("/v1/messages", Request($"{User},{Begun}"));
        Assert.Equal("lo world!", answer.GetProperty("content")[0].GetProperty("text").GetString());
        Assert.Contains("white space at its end",
            await Refused("/v1/messages", $$"""{{User}}, {"role": "assistant", "content": "Hel "}"""), StringComparison.Ordinal);
        Assert.Contains("'thinking' is enabled", await Refused("/v1/messages", $"{User},{Begun}",
            """, "thinking": {"type": "enabled", "budget_tokens": 9}"""), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_go_on_is_refused_by_name()
    {
        const string Chats = "/v1/chat/completions";
        Assert.Contains("not two", await Refused(Chats, $"{User},{Begun},{Begun}"), StringComparison.Ordinal);
        Assert.StartsWith("continue_final_message: ",
            await Refused(Chats, User, """, "continue_final_message": true"""), StringComparison.Ordinal);
        Assert.Contains("'add_generation_prompt'", await Refused(Chats, $"{User},{Begun}",
            """, "continue_final_message": true, "add_generation_prompt": true"""), StringComparison.Ordinal);
        Assert.Contains("'Hel', expected the beginning", await Refused(Chats, $"{User},{Begun}",
            """, "response_format": {"type": "json_object"}"""), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_form_goes_on_where_the_message_has_got_to() => Assert.Equal("1}", (await Chat(
        $$"""{{User}}, {"role": "assistant", "content": "{\"a\": "}""", """
        , "response_format": {"type": "json_schema", "json_schema": {"schema":
            {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"], "additionalProperties": false}}}
        """)).Trim());

    [Fact]
    public async Task Thoughts_go_on_too()
    {
        string thinker = new ScriptedModel("Let ", "me see.", "</think>", "\n\nDone.").WriteTo(_folder["b.gguf"]);
        await using ServerFixture server = await ServerFixture.Start(model: thinker);
        JsonElement message = (await server.Ask("/v1/chat/completions", Request(
            $$"""{{User}}, {"role": "assistant", "reasoning_content": "Let ", "content": ""}"""))).GetProperty("choices")[0]
            .GetProperty("message");
        Assert.Equal(("me see.", "Done."),
            (message.GetProperty("reasoning_content").GetString(), message.GetProperty("content").GetString()));
    }
}
