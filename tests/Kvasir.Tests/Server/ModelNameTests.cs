using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Server;

namespace Kvasir.Tests.Server;

/// <summary>By which names a model answers, and what it is called then.</summary>
public sealed class ModelNameTests
{
    static readonly string[] s_paths =
        ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/v1/embeddings"];

    /// <summary>What all endpoints understand.</summary>
    static JsonObject Body(string? name) => new()
    {
        ["model"] = name,
        ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = "Who are you?" }),
        ["prompt"] = "Once",
        ["input"] = "Once",
        ["max_tokens"] = 1,
        ["max_output_tokens"] = 1,
    };

    static JsonObject For(string path, string? name)
    {
        JsonObject body = Body(name);
        foreach (string other in (string[])(path switch
        {
            "/v1/chat/completions" or "/v1/messages" => ["prompt", "input", "max_output_tokens"],
            "/v1/completions" => ["messages", "input", "max_output_tokens"],
            "/v1/responses" => ["messages", "prompt", "max_tokens"],
            _ => ["messages", "prompt", "max_tokens", "max_output_tokens"],
        }))
            body.Remove(other);
        return body;
    }

    static string Name(JsonElement answer) => answer.GetProperty("model").GetString()!;

    [Fact]
    public async Task An_alias_is_listed_and_an_answer_has_the_name_that_was_asked_for()
    {
        await using ServerFixture server = await ServerFixture.Start(options: new ServerOptions { ModelId = "one", Aliases = ["b/two"] });
        Assert.Equal(["one", "b/two"],
            (await server.Get("/v1/models")).GetProperty("data").EnumerateArray().Select(entry => entry.GetProperty("id").GetString()));
        Assert.Equal("b/two", (await server.Get("/v1/models/b%2Ftwo")).GetProperty("id").GetString());
        foreach (string path in s_paths)
            foreach ((string? asked, string told) in ((string?, string)[])[("one", "one"), ("b/two", "b/two"), ("B/Two", "b/two"), (null, "one"),
                ("", "one"), ("default", "one"), ("Kvasir Saga", "one")])
                Assert.Equal(told, Name(await server.Ask(path, For(path, asked))));
        foreach (string path in (string[])[.. s_paths, "/v1/messages/count_tokens", "/v1/responses/input_tokens"])
        {
            using HttpResponseMessage refused = await server.Post(path, For(path.Replace("/count_tokens", "").Replace("/input_tokens", ""), "gpt-5"));
            string text = await refused.Content.ReadAsStringAsync(ServerFixture.Patience);
            Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
            Assert.Contains("model: 'gpt-5' is not served here, expected 'one' or 'b/two'; the server's --alias adds names, --any-model takes all",
                text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_server_for_all_names_answers_by_each()
    {
        await using ServerFixture server = await ServerFixture.Start(options: new ServerOptions { AnswersToAllNames = true });
        foreach (string path in s_paths)
            Assert.Equal("gpt-4o", Name(await server.Ask(path, For(path, "gpt-4o"))));
        Assert.Equal("gpt-4o", (await server.Get("/v1/models/gpt-4o")).GetProperty("id").GetString());
        Assert.Equal("kvasir-saga", (await server.Get("/v1/models")).GetProperty("data")[0].GetProperty("id").GetString());
        JsonObject stream = For(s_paths[0], "gpt-4o");
        stream["stream"] = true;
        string events = await (await server.Post(s_paths[0], stream)).Content.ReadAsStringAsync(ServerFixture.Patience);
        Assert.Contains("\"model\":\"gpt-4o\"", events, StringComparison.Ordinal);
        Assert.DoesNotContain("kvasir-saga", events, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_of_nothing_or_of_a_page_is_refused_at_the_start()
    {
        foreach (string name in (string[])["", new string('x', 201), "a\nb"])
            Assert.Contains("model name", Assert.Throws<ArgumentException>(
                () => new ServerOptions { ModelId = "one", Aliases = [name] }.Validate()).Message, StringComparison.Ordinal);
    }
}
