using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Kvasir.Tests.Server;

/// <summary>Values that OpenAI, vLLM or llama-server take, and clients therefore send, though they say nothing or say it oddly.</summary>
public sealed class LenientFieldTests
{
    static readonly Dictionary<string, string> s_plain = new()
    {
        ["/v1/chat/completions"] = """{"messages": [{"role": "user", "content": "Who are you?"}], "temperature": 0, "max_tokens": 4}""",
        ["/v1/completions"] = """{"prompt": "Who are you?", "temperature": 0, "max_tokens": 4}""",
        ["/v1/responses"] = """{"input": "Who are you?", "temperature": 0, "max_output_tokens": 4}""",
        ["/v1/messages"] = """{"messages": [{"role": "user", "content": "Who are you?"}], "temperature": 0, "max_tokens": 4}""",
        ["/v1/embeddings"] = """{"input": "Who are you?"}""",
    };

    /// <summary>Whatever is said so, the answer is the plain one.</summary>
    static readonly (string Path, string More)[] s_same =
    [
        .. from path in (string[])["/v1/chat/completions", "/v1/completions", "/v1/responses"]
           from more in (string[])["\"stop\": \"\"", "\"stop\": []", "\"stop\": [\"\"]", "\"stop\": null", "\"seed\": -1", "\"seed\": 4.0",
               "\"seed\": -9223372036854776000",
               "\"top_k\": -1", "\"top_k\": 0.0", "\"top_p\": 1", "\"logit_bias\": {}", "\"min_tokens\": 0.0", "\"repeat_last_n\": 64.0",
               "\"user\": null", "\"model\": \"\"", "\"stream\": null", "\"stop_token_ids\": []"]
           select (path, more),
        ("/v1/chat/completions", "\"max_tokens\": 4.0"), ("/v1/chat/completions", "\"max_tokens\": 4e0"),
        ("/v1/chat/completions", "\"max_completion_tokens\": 4.0"), ("/v1/chat/completions", "\"n\": 1.0"),
        ("/v1/chat/completions", "\"tools\": []"), ("/v1/chat/completions", "\"tools\": null, \"tool_choice\": \"auto\""),
        ("/v1/chat/completions", "\"response_format\": null"), ("/v1/chat/completions", "\"logprobs\": false, \"top_logprobs\": 0"),
        ("/v1/chat/completions", "\"messages\": [{\"role\": \"user\", \"content\": [\"Who are \", \"you?\"]}]"),
        ("/v1/chat/completions", "\"messages\": [{\"role\": \"user\", \"content\": \"Who are you?\", \"name\": null, \"tool_calls\": []}]"),
        ("/v1/completions", "\"max_tokens\": 4.0"), ("/v1/completions", "\"best_of\": 1.0"), ("/v1/completions", "\"suffix\": \"\""),
        ("/v1/responses", "\"max_output_tokens\": 4.0"), ("/v1/responses", "\"tools\": []"),
        ("/v1/messages", "\"max_tokens\": 4.0"), ("/v1/messages", "\"stop_sequences\": [\"\"]"), ("/v1/messages", "\"tools\": []"),
        ("/v1/embeddings", "\"encoding_format\": null"),
    ];

    /// <summary>An answer there is, and none says more of it.</summary>
    static readonly (string Path, string More)[] s_answered =
    [
        ("/v1/chat/completions", "\"max_tokens\": -1"), ("/v1/chat/completions", "\"max_completion_tokens\": -1"),
        ("/v1/chat/completions", "\"max_tokens\": 9007199254740991"), ("/v1/chat/completions", "\"temperature\": 5"),
        ("/v1/chat/completions", "\"messages\": [{\"role\": \"user\", \"content\": null}]"),
        ("/v1/chat/completions", "\"messages\": [{\"role\": \"user\", \"content\": []}]"),
        ("/v1/chat/completions", "\"messages\": [{\"role\": \"user\", \"content\": \"\"}]"),
        ("/v1/chat/completions", "\"messages\": [{\"role\": \"system\", \"content\": null}, {\"role\": \"user\", \"content\": \"Hi\"}]"),
        ("/v1/completions", "\"max_tokens\": -1, \"stop\": \" \""), ("/v1/completions", "\"prompt\": [70.0, 71]"),
        ("/v1/completions", "\"temperature\": 2.5"), ("/v1/responses", "\"max_output_tokens\": -1"),
        ("/v1/responses", "\"input\": [{\"role\": \"user\", \"content\": null}]"),
        ("/v1/responses", "\"input\": [{\"role\": \"user\", \"content\": []}]"),
        ("/v1/messages", "\"max_tokens\": -1"), ("/v1/messages", "\"messages\": [{\"role\": \"user\", \"content\": []}]"),
        ("/v1/messages", "\"messages\": [{\"role\": \"user\", \"content\": null}]"),
        ("/v1/embeddings", "\"dimensions\": 3.0"),
    ];

    static readonly (string Path, string More, string Said)[] s_refused =
    [
        ("/v1/chat/completions", "\"max_tokens\": 4.5", "max_tokens: 4.5, expected a whole number from 0, or -1 for no limit"),
        ("/v1/chat/completions", "\"max_tokens\": -2", "max_tokens: -2"), ("/v1/chat/completions", "\"temperature\": -1", "temperature: -1"),
        ("/v1/chat/completions", "\"temperature\": 1e999", "temperature: 1e999"), ("/v1/chat/completions", "\"seed\": 1.5", "seed: 1.5"),
        ("/v1/chat/completions", "\"max_tokens\": \"4\"", "max_tokens: '4'"), ("/v1/chat/completions", "\"stop\": [5]", "stop[0]: 5"),
        ("/v1/chat/completions", "\"messages\": [{\"role\": \"user\"}]", "messages[0].content: missing"),
        ("/v1/messages", "\"max_tokens\": 0", "max_tokens: 0"), ("/v1/completions", "\"prompt\": [70.5]", "prompt[0]: 70.5"),
    ];

    static JsonObject Body(string path, string more)
    {
        JsonObject body = JsonNode.Parse(s_plain[path])!.AsObject();
        foreach ((string name, JsonNode? value) in JsonNode.Parse($"{{{more}}}")!.AsObject())
            body[name] = value?.DeepClone();
        if (body.ContainsKey("max_completion_tokens"))
            body.Remove("max_tokens");
        return body;
    }

    static string Said(JsonElement answer) =>
        answer.TryGetProperty("choices", out JsonElement choices)
            ? choices[0].TryGetProperty("message", out JsonElement message) ? message.GetProperty("content").GetString()!
            : choices[0].GetProperty("text").GetString()!
        : answer.TryGetProperty("output", out JsonElement output) ? output[0].GetProperty("content")[0].GetProperty("text").GetString()!
        : answer.TryGetProperty("content", out JsonElement content) ? content[0].GetProperty("text").GetString()!
        : answer.GetProperty("data")[0].GetProperty("embedding").ToString();

    [Fact]
    public async Task What_others_take_is_taken_and_what_none_takes_is_named()
    {
        await using ServerFixture server = await ServerFixture.Start();
        Dictionary<string, string> plain = [];
        foreach (string path in s_plain.Keys)
            plain[path] = Said(await server.Ask(path, Body(path, "")));
        foreach ((string path, string more) in s_same)
            Assert.Equal((path, more, plain[path]), (path, more, Said(await server.Ask(path, Body(path, more)))));
        foreach ((string path, string more) in s_answered)
            Assert.NotNull(Said(await server.Ask(path, Body(path, more))));
        foreach ((string path, string more, string said) in s_refused)
        {
            using HttpResponseMessage response = await server.Post(path, Body(path, more));
            Assert.Contains(said, await response.Content.ReadAsStringAsync(ServerFixture.Patience), StringComparison.Ordinal);
            Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        }
    }
}
