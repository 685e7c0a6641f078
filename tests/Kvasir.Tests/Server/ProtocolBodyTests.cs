using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Kvasir.Inference;
using Kvasir.Inference.Drafting;
using Kvasir.Server;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary>
/// What <c>/v1/responses</c> and <c>/v1/messages</c> answer and stream, byte for byte as in Golden/protocols, but for ids and times.
/// </summary>
public sealed class ProtocolBodyTests
{
    const string Usual = """ "temperature": 0, "ignore_eos": true""";
    const string Schema = """{"type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}, "required": ["city"], "additionalProperties": false}""";
    const string Asked = $$""" "input": "How is the weather?", "seed": 1, "tool_choice": "required", "tools": [{"type": "function", "name": "weather", "parameters": {{Schema}}}]""";
    const string Tool = $$""" "messages": [{"role": "user", "content": "How is the weather?"}], "max_tokens": 100, "seed": 1, "tool_choice": {"type": "any"}, "tools": [{"name": "weather", "input_schema": {{Schema}}}]""";
    const string Hello = """ "messages": [{"role": "user", "content": "Who are you?"}], "max_tokens": 5""";

    static readonly Dictionary<string, (string Path, string Body)> s_cases = new()
    {
        ["responses"] = ("/v1/responses", $$"""{"input": "Who are you?", "max_output_tokens": 5,{{Usual}}}"""),
        ["responses-streamed"] = ("/v1/responses", $$"""{"input": "Who are you?", "max_output_tokens": 5, "stream": true,{{Usual}}}"""),
        ["responses-says-again"] = ("/v1/responses", """
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Who are \"you\", é?"}]}], "instructions": "Say <b>little</b>.", "max_output_tokens": 3, "temperature": 0.0, "top_p": 0.50,
             "metadata": {"b": "2", "a": "é", "b": "3"}, "parallel_tool_calls": false, "store": false, "truncation": "disabled", "user": "someone", "tool_choice": "none",
             "tools": [{"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": null}], "text": {"format": {"type": "text"}, "verbosity": "low"},
             "reasoning": {"effort": "low"}, "ignore_eos": true}
            """),
        ["responses-call"] = ("/v1/responses", $$"""{{{Asked}}}"""),
        ["responses-call-streamed"] = ("/v1/responses", $$"""{"stream": true,{{Asked}}}"""),
        ["responses-tokens"] = ("/v1/responses/input_tokens", """{"input": "Who are you?"}"""),
        ["messages"] = ("/v1/messages", $$"""{{{Hello}},{{Usual}}}"""),
        ["messages-streamed"] = ("/v1/messages", $$"""{"stream": true,{{Hello}},{{Usual}}}"""),
        ["messages-stopped"] = ("/v1/messages", $$"""{"stop_sequences": ["a", "e"],{{Hello}},{{Usual}}}"""),
        ["messages-call"] = ("/v1/messages", $$"""{{{Tool}}}"""),
        ["messages-call-streamed"] = ("/v1/messages", $$"""{"stream": true,{{Tool}}}"""),
        ["messages-tokens"] = ("/v1/messages/count_tokens", $$"""{{{Hello}}}"""),
    };

    public static TheoryData<string> Cases => [.. s_cases.Keys];

    [Theory, MemberData(nameof(Cases))]
    public async Task A_body_is_what_it_was(string name)
    {
        ServerOptions options = new()
        {
            ChatTemplate = name.Contains("call", StringComparison.Ordinal) ? await Read("Templates", "corpus", "hermes-tools.jinja") : null,
        };
        EngineOptions engine = new() // how much is guessed, time decides
        {
            Context = 1024, Sequences = 8, KvHostBytes = 64 << 20, Speculative = SpeculativeMode.Off,
        };
        await using ServerFixture server = await ServerFixture.Start(engine, options);
        (string path, string body) = s_cases[name];
        using HttpResponseMessage response = await server.Post(path, JsonNode.Parse(body)!, null, ("X-Kvasir-Explain", "1"));
        Assert.Equal(await Read("Golden", "protocols", $"{name}.txt"),
            Plain(await response.Content.ReadAsStringAsync(ServerFixture.Patience)));
    }

    /// <summary>Without what differs each time.</summary>
    static string Plain(string body) => Regex.Replace(body,
        @"(?<=\b(resp|msg|fc|call|toolu)_)[0-9a-f]{16,32}\b|(?<=""(created_at|restore_s|saved_s)"":)[\d.E-]+|: ping\n\n", "*");

    static Task<string> Read(params string[] path) =>
        File.ReadAllTextAsync(Path.Combine([Checkout.Root, "tests", "Kvasir.Tests", .. path]), ServerFixture.Patience);
}
