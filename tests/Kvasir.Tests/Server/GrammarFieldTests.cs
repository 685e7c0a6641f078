using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Kvasir.Tests.Server;

/// <summary>All names under which clients ask for an answer's form.</summary>
public class GrammarFieldTests
{
    const string Schema = """{"type":"object","properties":{"a":{"type":"integer","minimum":1,"maximum":9}},"required":["a"]}""",
        Fits = """^\{"a": ?[1-9]\}$""";

    public static TheoryData<string, string> Held => new()
    {
        { """{"response_format":{"type":"json_object","schema":SCHEMA}}""", Fits },
        { """{"response_format":{"type":"json_schema","json_schema":{"schema":SCHEMA}}}""", Fits },
        { """{"json_schema":SCHEMA}""", Fits },
        { """{"guided_json":SCHEMA}""", Fits },
        { """{"guided_json":"{\"enum\":[7]}"}""", "^7$" },
        { """{"structured_outputs":{"json":SCHEMA}}""", Fits },
        { """{"structured_outputs":{"json_object":true,"regex":null}}""", """^\{""" },
        { """{"grammar":"root ::= \"a\" [0-9]{2} \"!\""}""", "^a[0-9]{2}!$" },
        { """{"guided_grammar":"root ::= (\"(\" root \")\") | \"x\"{1,3}"}""", "^\\(*x{1,3}\\)*$" },
        { """{"structured_outputs":{"grammar":"root ::= \"yes\" | \"no\""}}""", "^(yes|no)$" },
        { """{"guided_choice":["red","green"]}""", "^(red|green)$" },
        { """{"structured_outputs":{"choice":["red","green"]}}""", "^(red|green)$" },
        { """{"guided_regex":"[a-f]{3}-\\d"}""", "^[a-f]{3}-[0-9]$" },
        { """{"structured_outputs":{"regex":"x+y"}}""", "^x+y?" },
        { """{"grammar":"","json_schema":null,"guided_choice":["one"]}""", "^one$" },
        { """{"response_format":{"type":"text"},"guided_choice":["one"]}""", "^one$" },
        { """{"guided_choice":["one"],"ignore_eos":true}""", "^one$" },
        { """{"json_schema":SCHEMA,"ignore_eos":true}""", Fits },
    };

    public static TheoryData<string, string, string> Refused => new()
    {
        { """{"response_format":{"type":"json_object","schema":123}}""", "response_format.schema", "123, expected a JSON schema" },
        { """{"response_format":{"type":"json_object","schema":{"type":"moon"}}}""", "response_format.schema", "#/type" },
        { """{"response_format":{"type":"text","schema":{}}}""", "response_format.schema", "expected none" },
        { """{"json_schema":[]}""", "json_schema", "expected a JSON schema" },
        { """{"json_schema":{"properties":{"a":{"minimum":3,"maximum":2,"type":"integer"}},"required":["a"]}}""", "json_schema", "#/properties/a/minimum: 3 beside 2" },
        { """{"grammar":7}""", "grammar", "expected a string" },
        { """{"grammar":"root ::= \"a\"\n  | b"}""", "grammar", "line 2, column 5" },
        { """{"guided_grammar":"start: WORD"}""", "guided_grammar", "line 1, column 6" },
        { """{"guided_regex":"(a"}""", "guided_regex", "'(' without ')'" },
        { """{"guided_choice":[]}""", "guided_choice", "expected one to 1,024 texts" },
        { """{"guided_choice":[1]}""", "guided_choice[0]", "expected a string" },
        { """{"guided_json":"{"}""", "guided_json", "the text of one" },
        { """{"structured_outputs":{}}""", "structured_outputs", "expected json" },
        { """{"structured_outputs":{"structural_tag":"{}"}}""", "structured_outputs.structural_tag", "not supported" },
        { """{"structured_outputs":{"json":{},"regex":"a"}}""", "structured_outputs.regex", "expected one of" },
        { """{"grammar":"root ::= \"a\"","guided_choice":["a"]}""", "guided_choice", "none beside grammar" },
        { """{"response_format":{"type":"json_object"},"json_schema":{}}""", "json_schema", "none beside response_format" },
    };

    static JsonObject Body(string fields, bool isChat)
    {
        JsonObject body = JsonNode.Parse(fields.Replace("SCHEMA", Schema, StringComparison.Ordinal))!.AsObject();
        if (isChat)
            body["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = "Hi" });
        else
            body["prompt"] = "Once";
        (body["max_tokens"], body["temperature"], body["seed"]) = (60, 1, 3);
        return body;
    }

    [Fact]
    public async Task Every_name_of_a_form_is_held_to()
    {
        await using ServerFixture server = await ServerFixture.Start();
        foreach ((string fields, string expected) in Held.Select(row => row.Data))
        {
            JsonElement chat = await server.Ask("/v1/chat/completions", Body(fields, isChat: true)),
                text = await server.Ask("/v1/completions", Body(fields, isChat: false));
            Assert.Matches(expected, chat.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!);
            Assert.Matches(expected, text.GetProperty("choices")[0].GetProperty("text").GetString()!);
            if (expected.EndsWith('$'))
                Assert.Equal("stop", text.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        }
        await server.AssertIdle();
    }

    [Fact]
    public async Task What_cannot_be_held_to_is_refused_by_name()
    {
        await using ServerFixture server = await ServerFixture.Start();
        foreach ((string fields, string param, string message) in Refused.Select(row => row.Data))
            foreach (bool isChat in (bool[])[true, false])
            {
                using HttpResponseMessage response =
                    await server.Post(isChat ? "/v1/chat/completions" : "/v1/completions", Body(fields, isChat));
                string answer = await response.Content.ReadAsStringAsync(ServerFixture.Patience);
                JsonElement error = JsonDocument.Parse(answer).RootElement.GetProperty("error");
                Assert.True(response.StatusCode == HttpStatusCode.BadRequest, $"{fields}: {answer}");
                Assert.Equal(param, error.GetProperty("param").GetString());
                Assert.Contains(message, error.GetProperty("message").GetString(), StringComparison.Ordinal);
            }
        await server.AssertIdle();
    }
}
