using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Inference;
using Kvasir.Server;

namespace Kvasir.Tests.Server;

/// <summary>Clients that are malformed, greedy, slow or gone cost nothing lasting, and learn in one line what is wrong.</summary>
public sealed class HostileClientTests
{
    [Theory]
    [InlineData("""{"messages": "Hi"}""", "messages")]
    [InlineData("""{"messages": []}""", "messages")]
    [InlineData("""{"messages": [{"role": "king", "content": "Hi"}]}""", "messages[0].role")]
    [InlineData("""{"messages": [{"role": "user", "content": 7}]}""", "messages[0].content")]
    [InlineData("""{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/"}}]}]}""",
        "messages[0].content[0]")]
    [InlineData("""{"messages": [{"role": "user", "content": "Hi"}], "temperature": "hot"}""", "temperature")]
    [InlineData("""{"messages": [{"role": "user", "content": "Hi"}], "temperature": -1}""", "temperature")]
    [InlineData("""{"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1.5}""", "max_tokens")]
    [InlineData("""{"messages": [{"role": "user", "content": "Hi"}], "n": 1000}""", "n")]
    [InlineData("""{"messages": [{"role": "user", "content": "Hi"}], "stop": ["a", 1]}""", "stop[1]")]
    [InlineData("""{"messages": [{"role": "user", "content": "Hi"}], "stop": 5}""", "stop")]
    [InlineData("""{"messages": [{"role": "user", "content": "Hi"}], "logit_bias": {"99999999": 1}}""", "logit_bias")]
    [InlineData("""{"messages": [{"role": "user", "content": "Hi"}], "top_logprobs": 21, "logprobs": true}""", "top_logprobs")]
    [InlineData("""{"messages": [{"role": "user", "content": "Hi"}], "stream": "yes"}""", "stream")]
    [InlineData("""{"messages": [{"role": "user", "content": "Hi"}], "response_format": {"type": "poem"}}""", "response_format.type")]
    [InlineData("""{"messages": [{"role": "user", "content": "Hi"}], "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "moon"}}}}""", "response_format.json_schema.schema")]
    [InlineData("""{"messages": [{"role": "user", "content": "Hi"}], "tools": [{"type": "function", "function": {"name": "a b"}}]}""",
        "tools[0].function.name")]
    public async Task A_wrong_value_is_a_400_that_names_the_field(string body, string field)
    {
        await using ServerFixture server = await ServerFixture.Start();
        using HttpResponseMessage response = await server.Post("/v1/chat/completions", JsonNode.Parse(body)!);
        JsonElement error = JsonDocument.Parse(await response.Content.ReadAsStringAsync(ServerFixture.Patience)).RootElement
            .GetProperty("error");
        Assert.Equal((HttpStatusCode.BadRequest, field, "invalid_request_error"),
            (response.StatusCode, error.GetProperty("param").GetString(), error.GetProperty("type").GetString()));
        Assert.StartsWith(field, error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_prompt_beyond_the_context_is_an_error_with_the_numbers()
    {
        await using ServerFixture server = await ServerFixture.Start();
        using HttpResponseMessage response = await server.Post("/v1/chat/completions", ServerFixture.Chat(ServerFixture.LongText(400)));
        JsonElement error = JsonDocument.Parse(await response.Content.ReadAsStringAsync(ServerFixture.Patience)).RootElement
            .GetProperty("error");
        Assert.Equal((HttpStatusCode.BadRequest, "context_length_exceeded", 1024),
            (response.StatusCode, error.GetProperty("code").GetString(), error.GetProperty("n_ctx").GetInt32()));
        int tokens = (await server.Ask("/tokenize", ServerFixture.Chat(ServerFixture.LongText(400)))).GetProperty("count").GetInt32();
        Assert.Equal(tokens, error.GetProperty("n_prompt_tokens").GetInt32());
    }

    [Theory]
    [InlineData("{")]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("\"text\"")]
    [InlineData("{\"messages\": [{\"role\": \"user\", \"content\": \"\\ud800\"}], \"max_tokens\": 1} trailing")]
    public async Task What_is_no_JSON_object_is_a_400(string body)
    {
        await using ServerFixture server = await ServerFixture.Start();
        using HttpResponseMessage response = await server.Client.PostAsync("/v1/chat/completions",
            new StringContent(body), ServerFixture.Patience);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("error", await response.Content.ReadAsStringAsync(ServerFixture.Patience), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Depth_and_size_of_a_body_are_bounded()
    {
        await using ServerFixture server = await ServerFixture.Start(options: new ServerOptions { MaxBodyBytes = 100_000 });
        string deep = string.Concat(Enumerable.Repeat("[", 10_000));
        Assert.Equal(HttpStatusCode.BadRequest, (await server.Client.PostAsync("/v1/chat/completions",
            new StringContent($"{{\"messages\": {deep}"), ServerFixture.Patience)).StatusCode);
        using HttpResponseMessage large = await server.Client.PostAsync("/v1/chat/completions",
            new StringContent(new string(' ', 200_000)), ServerFixture.Patience);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, large.StatusCode);
    }

    [Fact]
    public async Task Clients_that_go_away_in_mid_stream_leave_nothing_behind()
    {
        await using ServerFixture server = await ServerFixture.Start(new EngineOptions { Context = 8192 });
        JsonObject chat = ServerFixture.Chat("Tell me a story.", maxTokens: 8000); // more than fits into the buffers between
        chat["stream"] = true;
        for (int round = 0; round < 6; round++)
        {
            HttpResponseMessage response = await server.Post("/v1/chat/completions", chat);
            using Stream stream = await response.Content.ReadAsStreamAsync(ServerFixture.Patience);
            Assert.True(await stream.ReadAsync(new byte[200], ServerFixture.Patience) > 0);
            response.Dispose(); // closes the connection
        }
        await server.AssertIdle();
        await ServerFixture.Until(async () =>
            (await server.Get("/v1/kv/stats")).GetProperty("requests").GetProperty("cancelled").GetInt64() == 6, "all are cancelled");
    }

    [Fact]
    public async Task Garbage_on_the_wire_and_half_a_request_do_not_disturb_others()
    {
        await using ServerFixture server = await ServerFixture.Start();
        Uri address = new(server.Server.Address);
        List<TcpClient> sockets = [];
        foreach (string text in (string[])["\0\0\0\0",
            "GET / HTTP/9.9\r\n\r\n", "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{\"mess",
            "GET /" + new string('a', 100_000), "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n"])
        {
            TcpClient socket = new(address.Host, address.Port);
            sockets.Add(socket);
            await socket.GetStream().WriteAsync(Encoding.Latin1.GetBytes(text), ServerFixture.Patience);
        }
        Assert.Equal(8, (await server.Ask("/v1/chat/completions", ServerFixture.Chat("Hi"))).GetProperty("usage")
            .GetProperty("completion_tokens").GetInt32());
        sockets.ForEach(socket => socket.Dispose());
        await server.AssertIdle();
    }

    [Theory]
    [InlineData("FFFFFFFFFFFFFFFF")]
    [InlineData("10000000000000000")]
    [InlineData("-1")]
    [InlineData("zz")]
    [InlineData("")]
    public async Task A_chunk_whose_size_is_none_is_the_client_s_fault(string size)
    {
        List<string> lines = [];
        await using ServerFixture server = await ServerFixture.Start(options: new ServerOptions { Log = lines.Add });
        Uri address = new(server.Server.Address);
        foreach (string path in (string[])["/v1/chat/completions", "/v1/messages", "/tokenize", "/v1/kv/warm", "/v1/kv/import"])
        {
            using TcpClient socket = new(address.Host, address.Port);
            NetworkStream stream = socket.GetStream();
            await stream.WriteAsync(Encoding.Latin1.GetBytes($"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                + $"Transfer-Encoding: chunked\r\n\r\n{size}\r\n{{}}\r\n0\r\n\r\n"), ServerFixture.Patience);
            string? answer = await new StreamReader(stream).ReadLineAsync(ServerFixture.Patience); // the rest is awaited for a while
            Assert.Matches("^HTTP/1.1 400 ", answer);
        }
        Assert.Empty(lines);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{# nothing #}")]
    [InlineData("{% if false %}{{ messages }}{% endif %}")]
    public async Task A_template_that_writes_nothing_is_no_failure_of_the_server(string template)
    {
        List<string> lines = [];
        await using ServerFixture server = await ServerFixture.Start(
            options: new ServerOptions { Log = lines.Add, ChatTemplate = template });
        using HttpResponseMessage response = await server.Post("/v1/chat/completions", ServerFixture.Chat("Hi"));
        JsonElement error = JsonDocument.Parse(await response.Content.ReadAsStringAsync(ServerFixture.Patience)).RootElement
            .GetProperty("error");
        Assert.Equal((HttpStatusCode.BadRequest, "chat_template"), (response.StatusCode, error.GetProperty("code").GetString()));
        Assert.Empty(lines);
        await server.Ask("/v1/completions", new JsonObject { ["prompt"] = "Once", ["max_tokens"] = 1 });
    }

    [Fact]
    public async Task One_request_too_many_is_told_when_to_come_again()
    {
        await using ServerFixture server = await ServerFixture.Start(new EngineOptions { Context = 1024, MaxRunning = 1, MaxWaiting = 1 });
        JsonObject slow = ServerFixture.Chat("Tell me a story.", maxTokens: 900);
        slow["stream"] = true;
        using HttpResponseMessage running = await server.Post("/v1/chat/completions", slow);
        await ServerFixture.Until(() => server.Engine.Serving.Running > 0, "the first one runs");
        using HttpResponseMessage waiting = await server.Post("/v1/chat/completions", slow);
        using HttpResponseMessage refused = await server.Post("/v1/chat/completions", slow);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));
        Assert.Equal(1, (await server.Get("/v1/kv/stats")).GetProperty("requests").GetProperty("rejected").GetInt64());
    }

    [Fact]
    public async Task Stopping_lets_what_runs_end_and_cancels_what_takes_too_long()
    {
        await using ServerFixture server =
            await ServerFixture.Start(options: new ServerOptions { ShutdownTime = TimeSpan.FromMilliseconds(200) });
        JsonObject chat = ServerFixture.Chat("Tell me a story.", maxTokens: 1000);
        chat["stream"] = true;
        using HttpResponseMessage response = await server.Post("/v1/chat/completions", chat);
        using Stream stream = await response.Content.ReadAsStreamAsync(ServerFixture.Patience);
        Assert.True(await stream.ReadAsync(new byte[50], ServerFixture.Patience) > 0);
        await server.Server.Stop();
        string rest = await new StreamReader(stream).ReadToEndAsync(ServerFixture.Patience);
        Assert.EndsWith("data: [DONE]\n\n", rest, StringComparison.Ordinal); // an end that clients know
        await server.AssertIdle();
        await Assert.ThrowsAsync<HttpRequestException>(() => server.Client.GetAsync("/health", ServerFixture.Patience));
    }
}
