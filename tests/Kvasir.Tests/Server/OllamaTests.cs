using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Inference.Chat;
using Kvasir.Server;
using Kvasir.Server.Ollama;
using Kvasir.Server.Serving;
using Kvasir.Tests.Fixtures;
using OllamaSharp;
using OllamaSharp.Models;
using OllamaSharp.Models.Chat;

namespace Kvasir.Tests.Server;

/// <summary>Ollama's protocol, raw and through its client for .NET.</summary>
public sealed class OllamaTests
{
    const string Greedy = """{"temperature": 0, "repeat_penalty": 1, "num_predict": 12, "ignore_eos": true}""";

    static JsonObject Json(string json) => JsonNode.Parse(json.Replace("GREEDY", Greedy, StringComparison.Ordinal))!.AsObject();

    static JsonObject Question(string more = "") =>
        Json($$"""{"model": "default", "messages": [{"role": "user", "content": "Who are you?"}], "options": GREEDY{{more}}}""");

    static async Task<JsonElement[]> Lines(HttpResponseMessage response)
    {
        Assert.Equal("application/x-ndjson", response.Content.Headers.ContentType!.MediaType);
        string text = await response.Content.ReadAsStringAsync(ServerFixture.Patience);
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line))];
    }

    static string Said(JsonElement answer) => answer.GetProperty("message").GetProperty("content").GetString()!;

    /// <summary>A conversation's answers in both protocols, streamed or not, are one; so are their prompts.</summary>
    [Fact]
    public async Task A_chat_is_that_of_the_other_protocols_and_its_figures_are_there()
    {
        await using ServerFixture server = await ServerFixture.Start();
        JsonElement other = await server.Ask("/v1/chat/completions", ServerFixture.Chat("Who are you?", 12));
        using HttpResponseMessage response = await server.Post("/api/chat", Question());
        JsonElement[] lines = await Lines(response);
        JsonElement whole = await server.Ask("/api/chat", Question(""", "stream": false"""));
        string text = other.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;
        Assert.Equal(text, string.Concat(lines.Select(Said)));
        Assert.Equal(text, Said(whole));
        Assert.All(lines[..^1], line => Assert.False(line.GetProperty("done").GetBoolean()));
        Assert.True(lines.Length > 3);
        JsonElement end = lines[^1];
        Assert.Equal((true, "length", 12), (end.GetProperty("done").GetBoolean(), end.GetProperty("done_reason").GetString(),
            end.GetProperty("eval_count").GetInt32()));
        int prompt = other.GetProperty("usage").GetProperty("prompt_tokens").GetInt32();
        Assert.Equal((prompt, prompt - 1), (end.GetProperty("prompt_eval_count").GetInt32(), end.GetProperty("prompt_eval_cached_count").GetInt32()));
        long total = end.GetProperty("total_duration").GetInt64();
        Assert.InRange(end.GetProperty("load_duration").GetInt64() + end.GetProperty("prompt_eval_duration").GetInt64()
            + end.GetProperty("eval_duration").GetInt64(), total / 2, total + 10);
        await server.AssertIdle();
    }

    [Fact]
    public async Task What_a_request_says_of_tokens_acts_or_is_refused()
    {
        await using ServerFixture server = await ServerFixture.Start();
        JsonElement Options(string wishes) => JsonElement.Parse(
            $$"""{"model": "default", "prompt": "Who are you?", "stream": false, "options": { {{wishes}} } }""");
        async Task<string> Answer(string wishes) =>
            (await server.Ask("/api/generate", JsonNode.Parse(Options(wishes).GetRawText())!)).GetProperty("response").GetString()!;
        string usual = """ "num_predict": 12, "ignore_eos": true, "seed": 3, "temperature": 1.5, "top_p": 1""", plain = await Answer(usual);
        Assert.Equal(plain, await Answer(usual));
        foreach (string wish in (string[])["\"temperature\": 0", "\"top_k\": 1", "\"top_p\": 0.01", "\"repeat_penalty\": 10", "\"stop\": [\"e\"]",
            "\"num_ctx\": 31", "\"seed\": 4"])
            Assert.False(plain == await Answer($"{usual}, {wish}"), wish);
        foreach ((string body, string message) in ((string, string)[])[
            ("""{"options": {"mirostat": 1}}""", "options.mirostat: 1, expected 0 or 2"),
            ("""{"options": {"num_ctx": 4}}""", "the prompt needs at least"),
            ("""{"options": {"penalize_newline": false}}""", "options.penalize_newline: false is not honoured"),
            ("""{"template": "{{ .Prompt }}"}""", "template: '{{ .Prompt }}' is not honoured"),
            ("""{"images": ["aGk="]}""", "images: a list of 1 is not honoured"),
            ("""{"suffix": "b"}""", "does not support insert"),
            ("""{"raw": true, "system": "x"}""", "system: 'x', expected none"),
            ("""{"format": "yaml"}""", "format: 'yaml', expected 'json'"),
            ("""{"keep_alive": "soon"}""", "keep_alive: 'soon', expected a time")])
        {
            JsonObject asked = JsonNode.Parse(body)!.AsObject();
            (asked["model"], asked["prompt"]) = ("default", "Who are you?");
            using HttpResponseMessage response = await server.Post("/api/generate", asked);
            Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
            string told = await response.Content.ReadAsStringAsync(ServerFixture.Patience);
            Assert.Contains(message, JsonElement.Parse(told).GetProperty("error").GetString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_conversation_goes_on_from_its_tokens_and_raw_prompts_are_taken_as_they_are()
    {
        await using ServerFixture server = await ServerFixture.Start();
        JsonElement first = await server.Ask("/api/generate", Json("""{"model": "default", "prompt": "Who are you?", "stream": false, "options": GREEDY}"""));
        int[] context = [.. first.GetProperty("context").EnumerateArray().Select(token => token.GetInt32())];
        Assert.Equal(first.GetProperty("prompt_eval_count").GetInt32() + 12, context.Length);
        JsonElement second = await server.Ask("/api/generate", Json(
            $$"""{"model": "default", "prompt": "Who are you?", "stream": false, "options": GREEDY, "context": [{{string.Join(',', context)}}]}"""));
        Assert.Equal(context.Length + first.GetProperty("prompt_eval_count").GetInt32(), second.GetProperty("prompt_eval_count").GetInt32());
        Assert.Equal(context.Length - 1, second.GetProperty("prompt_eval_cached_count").GetInt32());
        JsonElement raw = await server.Ask("/api/generate", Json("""{"model": "default", "prompt": "Once upon", "raw": true, "stream": false, "options": GREEDY}"""));
        JsonElement text = await server.Ask("/completion",
            JsonNode.Parse("""{"prompt": "Once upon", "temperature": 0, "n_predict": 12, "ignore_eos": true}""")!);
        Assert.Equal(text.GetProperty("content").GetString(), raw.GetProperty("response").GetString());
        Assert.False(raw.TryGetProperty("context", out _));
    }

    [Fact]
    public async Task Requests_without_a_prompt_load_and_unload_and_other_models_are_not_found()
    {
        await using ServerFixture server = await ServerFixture.Start();
        string Reason(JsonElement answer) => answer.GetProperty("done_reason").GetString()!;
        Assert.Equal("load", Reason(await server.Ask("/api/generate", Json("""{"model": "default"}"""))));
        Assert.Equal("load", Reason(await server.Ask("/api/chat", Json("""{"model": "default:latest", "messages": [], "keep_alive": "10m"}"""))));
        foreach (string zero in (string[])["0", "\"0\"", "\"0s\""])
            Assert.Equal("unload", Reason(await server.Ask("/api/generate", Json($$"""{"model": "kvasir-saga", "prompt": "", "keep_alive": {{zero}}}"""))));
        foreach ((string path, string body, int status, string error) in ((string, string, int, string)[])[
            ("/api/chat", """{"model": "other", "messages": []}""", 404, "model 'other' not found"),
            ("/api/show", """{"model": "other"}""", 404, "model 'other' not found"),
            ("/api/generate", "{}", 400, "model is required"),
            ("/api/pull", """{"model": "other"}""", 501, "pull: this server serves the one model"),
            ("/api/nothing", "{}", 404, "/api/nothing: nothing is there")])
        {
            using HttpResponseMessage response = await server.Post(path, JsonNode.Parse(body)!);
            string text = await response.Content.ReadAsStringAsync(ServerFixture.Patience);
            Assert.True((int)response.StatusCode == status, text);
            Assert.StartsWith(error, JsonElement.Parse(text).GetProperty("error").GetString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Who_looks_for_Ollama_finds_it_and_browsers_find_the_page()
    {
        await using ServerFixture server = await ServerFixture.Start();
        Assert.Equal("Ollama is running", await server.Client.GetStringAsync("/", ServerFixture.Patience));
        using HttpRequestMessage head = new(HttpMethod.Head, "/"), browser = new(HttpMethod.Get, "/");
        browser.Headers.Accept.ParseAdd("text/html,*/*;q=0.8");
        using HttpResponseMessage there = await server.Client.SendAsync(head, ServerFixture.Patience),
            page = await server.Client.SendAsync(browser, ServerFixture.Patience);
        Assert.Equal(HttpStatusCode.OK, there.StatusCode);
        Assert.StartsWith("<!doctype html>", await page.Content.ReadAsStringAsync(ServerFixture.Patience), StringComparison.Ordinal);
        Assert.Contains("Accept", page.Headers.Vary);
    }

    /// <summary>Earlier calls and their results reach the chat template as they do by way of OpenAI's protocol.</summary>
    [Fact]
    public async Task Tools_their_calls_and_their_results_are_those_of_the_other_protocols()
    {
        await using ServerFixture server = await ServerFixture.Start(options: new ServerOptions
        {
            ChatTemplate = await File.ReadAllTextAsync(Path.Combine(Checkout.Root,
                "tests/Kvasir.Tests/Templates/corpus/qwen-tools.jinja"), ServerFixture.Patience),
        });
        const string Tools = """[{"type": "function", "function": {"name": "weather", "description": "Of a city.", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]""";
        static string Turns(string arguments) => $$$"""
            [{"role": "user", "content": "How is it?"},
             {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "weather", "arguments": {{{arguments}}}}}]},
             {"role": "tool", "tool_call_id": "a", "content": "Cold."}]
            """;
        JsonElement other = await server.Ask("/v1/chat/completions", Json(
            $$"""{"messages": {{Turns("\"{\\\"city\\\": \\\"Oslo\\\"}\"")}}, "tools": {{Tools}}, "max_tokens": 1}"""));
        JsonElement own = await server.Ask("/api/chat", Json(
            $$"""{"model": "default", "messages": {{Turns("{\"city\": \"Oslo\"}")}}, "tools": {{Tools}}, "stream": false, "options": {"num_predict": 1} }"""));
        int prompt = other.GetProperty("usage").GetProperty("prompt_tokens").GetInt32();
        Assert.Equal((prompt, prompt - 1),
            (own.GetProperty("prompt_eval_count").GetInt32(), own.GetProperty("prompt_eval_cached_count").GetInt32()));
    }

    /// <summary>A template opens thoughts, and a budget ends them: they are told apart, in pieces and whole.</summary>
    [Fact]
    public async Task Thoughts_are_told_apart()
    {
        await using ServerFixture server = await ServerFixture.Start(options: new ServerOptions
        {
            ChatTemplate = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
                + "{% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking != false %}<think>\n{% endif %}{% endif %}",
            Defaults = new RequestDefaults { ThoughtBudget = 4 },
        });
        JsonObject asked = ServerFixture.Chat("Who are you?", 30);
        JsonElement other = (await server.Ask("/v1/chat/completions", asked)).GetProperty("choices")[0].GetProperty("message");
        JsonObject question = Question(""", "stream": false""");
        question["options"]!["num_predict"] = 30;
        JsonElement whole = (await server.Ask("/api/chat", question)).GetProperty("message");
        string thoughts = other.GetProperty("reasoning_content").GetString()!, text = other.GetProperty("content").GetString()!;
        Assert.True(thoughts.Length > 0 && text.Length > 0);
        Assert.Equal((thoughts, text), (whole.GetProperty("thinking").GetString(), whole.GetProperty("content").GetString()));
        question["stream"] = true;
        using HttpResponseMessage response = await server.Post("/api/chat", question);
        JsonElement[] lines = await Lines(response);
        string streamed = string.Concat(lines.Select(line =>
            line.GetProperty("message").TryGetProperty("thinking", out JsonElement thought) ? thought.GetString() : ""));
        Assert.Equal((thoughts, text), (streamed, string.Concat(lines.Select(Said))));
        JsonObject none = Question(""", "stream": false, "think": false""");
        Assert.False((await server.Ask("/api/chat", none)).GetProperty("message").TryGetProperty("thinking", out _));
    }

    [Theory]
    [InlineData("""{"city": "Oslo"}""", """{"city":"Oslo"}""")]
    [InlineData("Oslo", """{"arguments":"Oslo"}""")]
    public void The_arguments_of_a_call_are_an_object(string written, string told) =>
        Assert.Equal(told, OllamaToolCall.Of(new ToolCall("a", "weather", written), 0).Function.Arguments.ToJsonString());

    [Fact]
    public async Task A_client_that_leaves_in_the_middle_leaves_nothing_behind()
    {
        await using ServerFixture server = await ServerFixture.Start();
        foreach (string path in (string[])["/api/chat", "/completion"])
        {
            using HttpResponseMessage response = await server.Post(path, Json(
                """{"model": "default", "messages": [{"role": "user", "content": "Who are you?"}], "prompt": "Once", "stream": true, "n_predict": 900, "ignore_eos": true, "options": {"ignore_eos": true, "num_predict": 900}}"""));
            await using Stream body = await response.Content.ReadAsStreamAsync(ServerFixture.Patience);
            Assert.True(await body.ReadAsync(new byte[16], ServerFixture.Patience) > 0);
            response.Dispose();
            await server.AssertIdle();
        }
    }

    [Fact]
    public async Task The_client_for_DotNet_lists_asks_and_embeds()
    {
        await using ServerFixture server = await ServerFixture.Start();
        using OllamaApiClient client = new(server.Server.Address, "kvasir-saga");
        Assert.True(await client.IsRunningAsync(ServerFixture.Patience));
        Assert.False(string.IsNullOrEmpty(await client.GetVersionAsync(ServerFixture.Patience)));
        OllamaSharp.Models.Model listed = Assert.Single(await client.ListLocalModelsAsync(ServerFixture.Patience));
        Assert.Equal(("kvasir-saga:latest", "llama"), (listed.Name, listed.Details.Family));
        Assert.Single(await client.ListRunningModelsAsync(ServerFixture.Patience));
        ShowModelResponse shown = await client.ShowModelAsync("kvasir-saga", ServerFixture.Patience);
        Assert.Equal("llama", shown.Info.Architecture);
        EmbedResponse vectors = await client.EmbedAsync(new EmbedRequest { Model = "kvasir-saga", Input = ["one", "two"] }, ServerFixture.Patience);
        Assert.Equal([128, 128], vectors.Embeddings.Select(vector => vector.Length));
        string streamed = "";
        ChatDoneResponseStream? end = null;
        await foreach (ChatResponseStream? piece in client.ChatAsync(new ChatRequest
        {
            Model = "kvasir-saga", Messages = [new Message(ChatRole.User, "Who are you?")],
            Options = new RequestOptions { Temperature = 0, RepeatPenalty = 1, NumPredict = 12 },
        }, ServerFixture.Patience))
        {
            streamed += piece!.Message.Content;
            end = piece as ChatDoneResponseStream ?? end;
        }
        JsonElement other = await server.Ask("/v1/chat/completions", ServerFixture.Chat("Who are you?", 12));
        Assert.StartsWith(streamed, other.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString(), StringComparison.Ordinal);
        Assert.True(streamed.Length > 0 && end!.EvalCount > 0);
    }
}
