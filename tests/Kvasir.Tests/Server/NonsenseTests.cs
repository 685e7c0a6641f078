using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Server;
using Kvasir.Tests.Compatibility;

namespace Kvasir.Tests.Server;

/// <summary>
/// Every value of a rich body of each protocol is replaced by nonsense in turn. Whatever comes of it, nothing fails inside the server, and
/// a refusal is one line in the client's own form.
/// </summary>
public sealed class NonsenseTests
{
    const string Mark = "\"@\"", Schema = """{"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": false}""";

    static readonly string[] s_nonsense =
    [
        "null", "true", "-1", "1e400", "18446744073709551616", "\"\"", "\"\\u0000\\u001b\\n\"", "\"\\ud800\"", "\"\u00ff\"", "[null]", "[[[[1]]]]", "{}",
        """{"a": 1, "a": {"b": 2, "b": 3}}""", """[{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]""",
        new string('[', 58) + new string(']', 58), $"[{string.Join(',', Enumerable.Repeat("1", 2000))}]",
    ];

    static readonly (string Path, string Body)[] s_requests =
    [
        ("/v1/chat/completions", """
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": {"ttl": "5m"}}]}, {"role": "assistant", "reasoning_content": "r",
              "tool_calls": [{"id": "c", "type": "function", "function": {"name": "noon", "arguments": "{}"}}]}, {"role": "tool", "tool_call_id": "c", "content": "12"}],
             "tools": [{"type": "function", "function": {"name": "noon", "description": "d", "parameters": SCHEMA}}], "tool_choice": "auto", "max_tokens": 2, "stop": ["a"],
             "logit_bias": {"5": 1}, "response_format": {"type": "text"}, "chat_template_kwargs": {"x": 1}, "seed": 1, "stream_options": {"include_usage": true}}
            """),
        ("/v1/completions", """{"prompt": ["a", [1, 2]], "max_tokens": 2, "echo": true, "logprobs": 1, "prompt_logprobs": 1, "suffix": "", "dry_sequence_breakers": ["a"]}"""),
        ("/v1/responses", """
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}, {"type": "reasoning", "summary": [{"text": "s"}], "content": []},
              {"type": "function_call", "call_id": "c", "name": "noon", "arguments": "{}"}, {"type": "function_call_output", "call_id": "c", "output": "12"}], "store": true,
             "tools": [{"type": "function", "name": "noon", "parameters": SCHEMA}], "text": {"format": {"type": "text"}}, "reasoning": {"summary": "auto"}, "max_output_tokens": 2,
             "metadata": {"a": "b"}}
            """),
        ("/v1/messages", """
            {"system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}], "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]},
              {"role": "assistant", "content": [{"type": "thinking", "thinking": "t"}, {"type": "tool_use", "id": "a", "name": "noon", "input": {"a": 1}}]},
              {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "12"}]}]}],
             "tools": [{"name": "noon", "input_schema": SCHEMA}], "tool_choice": {"type": "auto"}, "max_tokens": 2, "thinking": {"type": "disabled"}, "stop_sequences": ["a"]}
            """),
        ("/v1/embeddings", """{"input": ["a", [1, 2]], "dimensions": 3, "encoding_format": "float"}"""),
        ("/api/chat", """
            {"model": "default", "messages": [{"role": "user", "content": "Hi", "images": []}, {"role": "assistant", "content": "", "thinking": "t",
              "tool_calls": [{"function": {"name": "noon", "arguments": {"a": 1}}}]}, {"role": "tool", "content": "12", "tool_name": "noon"}], "think": true, "format": SCHEMA,
             "tools": [{"type": "function", "function": {"name": "noon", "parameters": SCHEMA}}], "stream": false, "options": {"num_predict": 2, "stop": ["a"]}, "keep_alive": "5m"}
            """),
        ("/api/generate", """{"model": "default", "prompt": "a", "system": "s", "context": [1], "stream": false, "options": {"num_predict": 2}, "suffix": ""}"""),
        ("/api/embed", """{"model": "default", "input": ["a"], "truncate": true}"""),
        ("/completion", """{"prompt": ["a", 1], "n_predict": 2, "n_probs": 1, "samplers": ["top_k"], "logit_bias": [[5, 1], ["a", false]], "response_fields": ["content"]}"""),
        ("/tokenize", """{"content": "a", "with_pieces": true}"""), ("/v1/kv/lookup", """{"prompt": "a"}"""),
    ];

    [Fact]
    public async Task Nothing_fails_inside_and_refusals_are_one_line_in_the_client_s_form()
    {
        await using ServerFixture server = await ScriptedServers.Thinker(new ServerOptions { AnswersToAllNames = true });
        List<string> wrong = [];
        foreach ((string path, string body) in s_requests)
        {
            JsonNode whole = JsonNode.Parse(body.Replace("SCHEMA", Schema, StringComparison.Ordinal))!;
            await server.Ask(path, whole); // as it is, it is right
            string[] bodies = [.. Marked(whole)
                .SelectMany(marked => s_nonsense.Select(value => marked.Replace(Mark, value, StringComparison.Ordinal)))];
            foreach (string[] some in bodies.Chunk(8))
                wrong.AddRange((await Task.WhenAll(some.Select(one => Judge(server, path, one)))).OfType<string>());
        }
        Assert.True(wrong.Count == 0, $"{wrong.Count}: {string.Join('\n', wrong.Take(20))}");
        await server.AssertIdle();
    }

    /// <summary>The body with a mark in place of each of its values.</summary>
    static IEnumerable<string> Marked(JsonNode whole)
    {
        foreach (string path in Values(whole).Select(value => value.GetPath()).ToArray())
        {
            JsonNode copy = whole.DeepClone();
            Values(copy).Single(value => value.GetPath() == path).ReplaceWith("@");
            yield return copy.ToJsonString();
        }
    }

    static IEnumerable<JsonNode> Values(JsonNode node) => (node switch
    {
        JsonObject members => members.Select(member => member.Value),
        JsonArray items => items,
        _ => [],
    }).OfType<JsonNode>().SelectMany(value => Values(value).Prepend(value)).ToArray();

    static async Task<string?> Judge(ServerFixture server, string path, string body)
    {
        using ByteArrayContent content = new(Encoding.Latin1.GetBytes(body)); // ÿ is no UTF-8 then
        using HttpResponseMessage response = await server.Client.PostAsync(path, content, ServerFixture.Patience);
        string answer = await response.Content.ReadAsStringAsync(ServerFixture.Patience);
        if (response.IsSuccessStatusCode)
            return null;
        string? message = (int)response.StatusCode is >= 400 and < 500 ? Message(path, answer) : null;
        return message is null || message.Any(char.IsControl) || message.Length > 500 || message.Contains("   at ", StringComparison.Ordinal)
            ? $"{path} {(int)response.StatusCode} {answer} to {body}"
            : null;
    }

    /// <summary>What an error says; null where its form is not the client's.</summary>
    static string? Message(string path, string answer)
    {
        JsonElement whole = JsonElement.Parse(answer), error = whole.GetProperty("error");
        if (path.StartsWith("/api/", StringComparison.Ordinal))
            return error.ValueKind == JsonValueKind.String ? error.GetString() : null;
        return path == "/v1/messages" == whole.TryGetProperty("type", out _) && error.TryGetProperty("type", out _)
            ? error.GetProperty("message").GetString()
            : null;
    }
}
