using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Kvasir.Server;
using Kvasir.Tests.Cli;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary>The protocols as they are on the wire, seen with curl.</summary>
public sealed class CurlTests
{
    const string Chat = "/v1/chat/completions";
    const string Message =
        """{"messages": [{"role": "user", "content": "Who are you?"}], "temperature": 0, "max_tokens": 3, "ignore_eos": true""";

    static async Task<string> Curl(ServerFixture server, string path, string? body, params string[] more)
    {
        Programs.Need("curl");
        string[] data = body is null ? [] : ["-H", "Content-Type: application/json", "--data-binary", "@-"];
        (int exitCode, string output, string errors) = await Programs.Run(
            new ProcessStartInfo("curl", ["-sS", "--max-time", "30", .. data, .. more, server.Server.Address + path]), body ?? "");
        Assert.True(exitCode == 0, errors);
        return output;
    }

    static async Task<(int Status, JsonElement Error)> Refusal(ServerFixture server, string path, string? body, params string[] more)
    {
        string[] answer = (await Curl(server, path, body, [.. more, "-w", "\n%{http_code}"])).Split('\n');
        return (int.Parse(answer[^1]), JsonDocument.Parse(string.Join('\n', answer[..^1])).RootElement.GetProperty("error"));
    }

    [Fact]
    public async Task The_line_that_serve_prints_works_as_printed()
    {
        Programs.Need("curl", "bash");
        using KvasirProcess server = KvasirProcess.Start("serve", "--port", "0", "--quiet");
        string line = (await server.Note(new Regex("try: (curl .*)\n"))).Groups[1].Value;
        (int exitCode, string output, string errors) = await Programs.Run(new ProcessStartInfo("bash", ["-c", line]));
        Assert.True(exitCode == 0, errors);
        Assert.NotEmpty(JsonDocument.Parse(output).RootElement.GetProperty("choices")[0].GetProperty("message")
            .GetProperty("content").GetString()!);
        server.Interrupt();
        Assert.Equal(0, server.Finish().ExitCode);
    }

    [Fact]
    public async Task A_stream_is_framed_as_openai_frames_it()
    {
        await using ServerFixture server = await ServerFixture.Start();
        string stream = await Curl(server, Chat, Message + """, "stream": true, "stream_options": {"include_usage": true}}""", "-N", "-i");
        string[] parts = stream.ReplaceLineEndings("\n").Split("\n\n", 2);
        Assert.Matches("(?i)^HTTP/1.1 200 OK\n(.*\n)*content-type: text/event-stream", parts[0]);
        string body = Regex.Replace(stream[(stream.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..],
            @"chatcmpl-\w{32}|(?<=""created"":)\d+|fp_\w{12}|(?<=""content"":"")[^""]+", "*");
        string Chunk(string rest) => $$"""data: {"id":"*","object":"chat.completion.chunk","created":*,"model":"kvasir-saga","system_fingerprint":"*","choices":{{rest}}}""" + "\n\n";
        string word = Chunk("""[{"index":0,"delta":{"content":"*"},"finish_reason":null}]""");
        Assert.Equal(
            Chunk("""[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}]""") + word + word + word + Chunk(
                """[{"index":0,"delta":{},"finish_reason":"length"}]""")
                + Chunk("""[],"usage":{"prompt_tokens":13,"completion_tokens":3,"total_tokens":16,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":13},"completion_tokens_details":{"reasoning_tokens":0}}""") + "data: [DONE]\n\n",
            body);
    }

    [Fact]
    public async Task A_stream_is_framed_as_anthropic_frames_it()
    {
        await using ServerFixture server = await ServerFixture.Start();
        string body = await Curl(server, "/v1/messages", Message + """, "stream": true}""", "-N");
        string[] events = body.Split("\n\n");
        Assert.Empty(events[^1]);
        Assert.All(events[..^1], text => Assert.Matches(@"^event: (\w+)\ndata: {""type"":""\1""", text));
        Assert.Equal(["message_start", "ping", "content_block_start", "content_block_delta", "content_block_delta", "content_block_delta",
            "content_block_stop", "message_delta", "message_stop"], events[..^1].Select(text => text.Split('\n')[0][7..]));
    }

    [Fact]
    public async Task Methods_that_a_path_has_not_are_refused_and_those_that_it_has_are_named()
    {
        await using ServerFixture server = await ServerFixture.Start();
        foreach (string path in (string[])[Chat, "/v1/completions", "/v1/responses", "/v1/embeddings",
            "/v1/messages", "/tokenize", "/v1/kv/warm"])
            foreach (string method in (string[])["GET", "HEAD", "OPTIONS", "DELETE"])
            {
                string answer = await Curl(server, path, null, method == "HEAD" ? ["-I"] : ["-i", "-X", method]);
                Assert.Matches("^HTTP/1.1 405 ", answer);
                Assert.Matches("(?im)^allow: POST\r$", answer);
                Assert.Equal(method != "HEAD", answer.Contains("\"wrong_method\"", StringComparison.Ordinal)
                    || answer.Contains("\"invalid_request_error\"", StringComparison.Ordinal));
            }
        (int status, JsonElement error) = await Refusal(server, "/v1/models", "{}");
        Assert.Equal((405, "wrong_method"), (status, error.GetProperty("code").GetString()));
    }

    [Fact]
    public async Task What_can_be_read_can_be_asked_for_its_head()
    {
        await using ServerFixture server = await ServerFixture.Start();
        foreach (string path in (string[])["/", "/assets/kvasir.js", "/health", "/v1/models", "/v1/models/kvasir-saga"])
            Assert.Matches("^HTTP/1.1 200 OK\r\n(.+\r\n)*\r\n$", await Curl(server, path, null, "-I"));
    }

    [Fact]
    public async Task What_is_no_json_object_is_refused()
    {
        await using ServerFixture server = await ServerFixture.Start();
        foreach (string body in (string[])["", "{", "[1", "{\"a\": }", "{\"a\": 1} x", "nonsense", "\"\\ud800", new string('[', 100),
            """{"messages": [{"role": "user", "content": "\ud800"}]}""", """{"\udc00": 1}"""])
        {
            (int status, JsonElement error) = await Refusal(server, Chat, body);
            Assert.Equal((400, "invalid_json"), (status, error.GetProperty("code").GetString()));
        }
        foreach (string body in (string[])["[]", "5", "null", "\"x\""])
            Assert.Equal(400, (await Refusal(server, Chat, body)).Status);
    }

    [Fact]
    public async Task What_is_of_the_wrong_type_is_named()
    {
        await using ServerFixture server = await ServerFixture.Start();
        foreach ((string path, string body, string field) in ((string, string, string)[])[
            (Chat, """{"messages": [{"role": "user", "content": 5}]}""", "messages[0].content"), (Chat, """{"messages": {}}""", "messages"),
            (Chat, """{"messages": [5]}""", "messages[0]"), (Chat, "{}", "messages"),
            (Chat, """{"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}""", "messages[0].content[0].text"),
            (Chat, """{"messages": [{"content": "x"}]}""", "messages[0].role"),
            (Chat, Message + """, "stream_options": 5}""", "stream_options"),
            (Chat, Message + """, "stop": [1]}""", "stop[0]"), (Chat, Message + """, "response_format": "json"}""", "response_format"),
            (Chat, Message + """, "tools": [{}]}""", "tools[0].function.name"),
            ("/v1/completions", """{"prompt": {"a": 1}}""", "prompt"), ("/v1/completions", """{"prompt": [1, "a"]}""", "prompt[1]"),
            ("/v1/completions", """{"prompt": ["a", []]}""", "prompt[1]"), ("/v1/completions", """{"prompt": ""}""", "prompt"),
            ("/v1/embeddings", """{"input": [true]}""", "input[0]"), ("/v1/responses", """{"input": 5}""", "input"),
            ("/v1/responses", """{"input": [{"role": "user", "content": [{"type": "input_text"}]}]}""", "input[0].content[0].text")])
        {
            (int status, JsonElement error) = await Refusal(server, path, body);
            Assert.Equal((400, field), (status, error.GetProperty("param").GetString()));
            Assert.StartsWith($"{field}: ", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_model_whose_name_has_a_slash_is_found_however_it_is_written()
    {
        await using ServerFixture server = await ServerFixture.Start(options: new ServerOptions { ModelId = "sagas/Kvasir" });
        foreach (string name in (string[])["sagas/Kvasir", "sagas%2FKvasir", "sagas/kvasir", "Kvasir%20Saga", "default"])
            Assert.Contains("\"id\":\"sagas/Kvasir\"", await Curl(server, $"/v1/models/{name}", null), StringComparison.Ordinal);
        (int status, JsonElement error) = await Refusal(server, "/v1/models/sagas", null);
        Assert.Equal((404, "model_not_found"), (status, error.GetProperty("code").GetString()));
    }

    [Fact]
    public async Task Letters_and_quotes_stand_in_answers_as_they_are()
    {
        await using ServerFixture server = await ServerFixture.Start();
        const string text = "Þórr's <hamar> & мост";
        Assert.Contains(text, await Curl(server, "/v1/completions", $$"""{"prompt": "{{text}}", "echo": true, "max_tokens": 0}"""),
            StringComparison.Ordinal);
        Assert.Contains(text, await Curl(server, "/v1/completions",
            $$"""{"prompt": "{{text}}", "echo": true, "max_tokens": 0, "stream": true}"""), StringComparison.Ordinal);
        Assert.Contains($"'{text}'", await Curl(server, Chat, $$"""{"model": "{{text}}", "messages": []}"""), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_prompt_beyond_the_context_names_the_field_of_its_protocol()
    {
        await using ServerFixture server = await ServerFixture.Start();
        string text = ServerFixture.LongText(400);
        foreach ((string path, string body, string field) in ((string, string, string)[])[
            (Chat, $$"""{"messages": [{"role": "user", "content": "{{text}}"}]}""", "messages"),
            ("/v1/completions", $$"""{"prompt": "{{text}}"}""", "prompt"), ("/v1/embeddings", $$"""{"input": "{{text}}"}""", "input"),
            ("/v1/responses", $$"""{"input": "{{text}}"}""", "input")])
        {
            (int status, JsonElement error) = await Refusal(server, path, body);
            Assert.Equal((400, "context_length_exceeded", field),
                (status, error.GetProperty("code").GetString(), error.GetProperty("param").GetString()));
            Assert.Equal(1024, error.GetProperty("n_ctx").GetInt32());
        }
    }

    [Fact]
    public async Task Unknown_fields_are_ignored_and_null_is_as_good_as_absent()
    {
        await using ServerFixture server = await ServerFixture.Start();
        async Task<string> Answer(string path, string body) =>
            Regex.Replace(await Curl(server, path, body), @"chatcmpl-\w+|cmpl-\w+|""created"":\d+|""prompt_tokens_details"":{[^}]+}", "*");
        string[] nulls = [.. "model n stop seed top_p stream stream_options tools tool_choice logprobs top_logprobs response_format logit_bias max_completion_tokens presence_penalty frequency_penalty user metadata prompt_cache_key cache_salt".Split(' ').Select(name => $"\"{name}\": null")];
        string plain = await Answer(Chat, Message + "}");
        Assert.Contains("\"content\":", plain, StringComparison.Ordinal);
        Assert.Equal(plain, await Answer(Chat, $"{Message}, {string.Join(", ", nulls)}}}"));
        Assert.Equal(plain, await Answer(Chat, Message + """, "store": true, "reasoning_effort": "low", "made_up": {"a": [1, 2]}}"""));
        const string legacy = """{"prompt": "Once upon a time", "temperature": 0, "ignore_eos": true""";
        Assert.Equal(await Answer("/v1/completions", legacy + "}"), await Answer("/v1/completions",
            legacy + """, "max_tokens": null, "echo": null, "suffix": null, "best_of": null, "logprobs": null, "made_up": 1}"""));
    }

    [Fact]
    public async Task A_page_that_may_ask_may_send_what_its_client_sends_and_read_what_went_wrong()
    {
        const string origin = "https://chat.example.org";
        await using ServerFixture server = await ServerFixture.Start(options: new ServerOptions { AllowedOrigins = [origin] });
        string preflight = await Curl(server, Chat, null, "-i", "-X", "OPTIONS", "-H", $"Origin: {origin}", "-H",
            "Access-Control-Request-Method: POST", "-H", "Access-Control-Request-Headers: authorization,content-type,x-stainless-lang");
        Assert.Matches("(?im)^access-control-allow-headers: .*x-stainless-lang", preflight);
        string refusal = await Curl(server, Chat, "{}", "-i", "-H", $"Origin: {origin}");
        Assert.Matches("^HTTP/1.1 400 ", refusal);
        Assert.Matches($"(?im)^access-control-allow-origin: {origin}\r$", refusal);
        Assert.Matches("(?im)^x-content-type-options: nosniff\r$", refusal);
    }
}
