using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Server;
using Kvasir.Server.Http;
using Kvasir.Server.OpenAi;
using Kvasir.Server.Security;

namespace Kvasir.Tests.Server;

/// <summary>Answers of <c>/v1/responses</c> that can be read, listed, gone on from and deleted.</summary>
public sealed class StoredResponseTests
{
    const string Path = "/v1/responses", Ada = "ada-0123456789", Bob = "bob-0123456789";

    static JsonObject Body(JsonNode input, string? previous = null) => new()
    {
        ["input"] = input, ["previous_response_id"] = previous, ["temperature"] = 0, ["max_output_tokens"] = 8, ["metadata"] = new JsonObject { ["a"] = "b" },
    };

    /// <summary>What can be asked of an answer, behind its id.</summary>
    static readonly (HttpMethod Method, string More)[] s_questions =
        [(HttpMethod.Get, ""), (HttpMethod.Delete, ""), (HttpMethod.Get, "/input_items"), (HttpMethod.Post, "/cancel")];

    static async Task<(HttpStatusCode Status, JsonElement Body)> Send(ServerFixture server, HttpMethod method, string path,
        string? key = null)
    {
        using HttpRequestMessage request = new(method, path);
        if (key is not null)
            request.Headers.Authorization = new("Bearer", key);
        using HttpResponseMessage response = await server.Client.SendAsync(request, ServerFixture.Patience);
        return (response.StatusCode, JsonElement.Parse(await response.Content.ReadAsStringAsync(ServerFixture.Patience)));
    }

    static string Id(JsonElement answer) => answer.GetProperty("id").GetString()!;

    static string[] Ids(JsonElement list) => [.. list.GetProperty("data").EnumerateArray().Select(Id)];

    [Fact]
    public async Task An_answer_is_read_as_it_was_given_until_it_is_deleted()
    {
        await using ServerFixture server = await ServerFixture.Start();
        JsonElement answer = await server.Ask(Path, Body("Who are you?"));
        (HttpStatusCode status, JsonElement read) = await Send(server, HttpMethod.Get, $"{Path}/{Id(answer)}");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.True(JsonElement.DeepEquals(answer, read), $"{answer}\n{read}");
        JsonObject stream = Body("Who are you?");
        stream["stream"] = true;
        string events = await (await server.Post(Path, stream)).Content.ReadAsStringAsync(ServerFixture.Patience);
        JsonElement last = JsonElement.Parse(events.Split("data: ")[^1]).GetProperty("response");
        Assert.True(JsonElement.DeepEquals(last, (await Send(server, HttpMethod.Get, $"{Path}/{Id(last)}")).Body));

        (HttpStatusCode gone, JsonElement said) = await Send(server, HttpMethod.Delete, $"{Path}/{Id(answer)}");
        Assert.Equal((HttpStatusCode.OK, $$"""{"id":"{{Id(answer)}}","object":"response","deleted":true}"""), (gone, $"{said}"));
        foreach ((HttpMethod method, string more) in s_questions)
            Assert.Equal((HttpStatusCode.NotFound, "response_not_found"), await Send(server, method, $"{Path}/{Id(answer)}{more}") is var (not, error)
                ? (not, error.GetProperty("error").GetProperty("code").GetString()) : default);
        Assert.Equal(HttpStatusCode.NotFound, (await server.Post(Path, Body("And then?", Id(answer)))).StatusCode);
    }

    [Fact]
    public async Task What_is_not_stored_is_not_there()
    {
        await using ServerFixture server = await ServerFixture.Start();
        JsonObject body = Body("Who are you?");
        body["store"] = false;
        JsonElement answer = await server.Ask(Path, body);
        Assert.False(answer.GetProperty("store").GetBoolean());
        Assert.Equal(HttpStatusCode.NotFound, (await Send(server, HttpMethod.Get, $"{Path}/{Id(answer)}")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await server.Post(Path, Body("And then?", Id(answer)))).StatusCode);
    }

    [Fact]
    public async Task Items_are_those_of_the_conversation_a_page_at_a_time()
    {
        await using ServerFixture server = await ServerFixture.Start();
        JsonElement first = await server.Ask(Path, Body("Who are you?"));
        JsonNode input = JsonNode.Parse("""[{"role": "user", "content": "And then?", "id": 5}, {"role": "assistant", "content": "Nothing.", "content": "No."}, {"type": "message", "id": "msg_mine", "role": "user", "content": [{"type": "input_text", "text": "Why?"}]}]""", documentOptions: new JsonDocumentOptions { AllowDuplicateProperties = true })!;
        JsonElement second = await server.Ask(Path, Body(input, Id(first)));
        (_, JsonElement all) = await Send(server, HttpMethod.Get, $"{Path}/{Id(second)}/input_items?order=asc&limit=100");
        Assert.Equal(["user: Who are you?", $"assistant: {Text(first.GetProperty("output")[0])}", "user: And then?", "assistant: No.", "user: Why?"],
            all.GetProperty("data").EnumerateArray().Select(item => $"{item.GetProperty("role")}: {Text(item)}"));
        string[] ids = Ids(all);
        Assert.Equal((5, "msg_mine", false), (ids.Distinct().Count(), ids[4], all.GetProperty("has_more").GetBoolean()));
        (_, JsonElement page) = await Send(server, HttpMethod.Get, $"{Path}/{Id(second)}/input_items?limit=2&after=msg_mine");
        Assert.Equal([ids[3], ids[2]], Ids(page));
        Assert.Equal((ids[3], ids[2], true),
            (page.GetProperty("first_id").GetString(), page.GetProperty("last_id").GetString(), page.GetProperty("has_more").GetBoolean()));
        foreach (string query in (string[])["limit=0", "limit=101", "limit=x", "order=up", "after=msg_nobody"])
            Assert.Equal((HttpStatusCode.BadRequest, query.Split('=')[0]), await Send(server, HttpMethod.Get, $"{Path}/{Id(second)}/input_items?{query}")
                is var (status, error) ? (status, error.GetProperty("error").GetProperty("param").GetString()) : default);
        Assert.Equal(HttpStatusCode.BadRequest, (await Send(server, HttpMethod.Get, $"{Path}/{Id(second)}?stream=true")).Status);

        static string Text(JsonElement item) => item.GetProperty("content")[0].GetProperty("text").GetString()!;
    }

    [Fact]
    public async Task Nobody_reads_or_deletes_what_another_asked_for()
    {
        await using ServerFixture server = await ServerFixture.Start(
            options: new ServerOptions { ApiKeys = [new ApiKey(Ada), new ApiKey(Bob, Scopes.Infer, "bob")] });
        string id = Id(await server.Ask(Path, Body("Who are you?"), Ada));
        foreach ((HttpMethod method, string more) in s_questions)
            Assert.Equal(HttpStatusCode.NotFound, (await Send(server, method, $"{Path}/{id}{more}", Bob)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await server.Post(Path, Body("And then?", id), Bob)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await Send(server, HttpMethod.Get, $"{Path}/{id}", Ada)).Status);
    }

    [Fact]
    public void The_oldest_give_way()
    {
        ResponseStore store = new("0");
        for (int i = 0; i < 1001; i++)
            store.Keep($"{i}", Principal.Anyone, new StoredResponse("{}", "[]"));
        Assert.Equal(["0"], Lost(1001));
        store.Keep("large", Principal.Anyone, new StoredResponse(new string('x', 64 << 20), ""));
        Assert.Equal(1001, Lost(1001).Length);

        string[] Lost(int count) => [.. Enumerable.Range(0, count).Select(i => $"{i}").Where(id =>
        {
            try
            {
                return store.Find(id, Principal.Anyone, "id", "response_not_found") is null;
            }
            catch (RequestException)
            {
                return true;
            }
        })];
    }
}
