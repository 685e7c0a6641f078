using System.Diagnostics;
using System.Text.Json;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Server;

namespace Kvasir.Tests.Compatibility;

/// <summary>What the manual of llama-server shows with curl, with the names of models that it has there.</summary>
public sealed class CurlClientTests : ClientTests
{
    const string Messages = """[{"role": "system", "content": "You are ChatGPT, an AI assistant."}, {"role": "user", "content": "Write a limerick about python exceptions"}]""";

    private protected override string Client => "curl (llama-server's manual)";

    private protected override string? Version => null;

    private protected override string[] Needs => ["curl"];

    private protected override Dictionary<Feature, Show> Shows { get; } = new()
    {
        [Feature.Chat] = async server => Assert.NotEmpty((await Curl(server, "/v1/chat/completions",
            $$"""{"model": "gpt-3.5-turbo", "max_tokens": 24, "messages": {{Messages}}}""")).GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!),
        [Feature.Schema] = async server => Fits((await Curl(server, "/v1/chat/completions",
            $$"""{"model": "gpt-3.5-turbo", "temperature": 0, "messages": {{Messages}}, "response_format": {"type": "json_schema", "schema": {{Schema}} } }"""))
            .GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!),
        [Feature.Completions] = async server => Assert.NotEmpty((await Curl(server, "/completion",
            """{"prompt": "Building a website can be done in 10 simple steps:", "n_predict": 24}""")).GetProperty("content").GetString()!),
        [Feature.Responses] = async server => Assert.Equal("response", (await Curl(server, "/v1/responses",
            """{"model": "gpt-4.1", "instructions": "You are ChatGPT, an AI assistant.", "input": "Write a limerick about python exceptions", "max_output_tokens": 24}"""))
            .GetProperty("object").GetString()),
        [Feature.Embeddings] = async server =>
        {
            JsonElement one = await Curl(server, "/v1/embeddings", """{"input": "hello", "model": "GPT-4", "encoding_format": "float"}""");
            Assert.Equal(JsonValueKind.Array, one.GetProperty("data")[0].GetProperty("embedding").ValueKind);
            JsonElement two = await Curl(server, "/v1/embeddings", """{"input": ["hello", "world"], "model": "GPT-4", "encoding_format": "float"}""");
            Assert.Equal(2, two.GetProperty("data").GetArrayLength());
        },
        [Feature.Tokens] = async server =>
        {
            JsonElement tokens = (await Curl(server, "/tokenize", """{"content": "Finn has a rabbit.", "with_pieces": false}""")).GetProperty("tokens");
            Assert.Equal("Finn has a rabbit.", (await Curl(server, "/detokenize", $$"""{"tokens": {{tokens}}}""")).GetProperty("content").GetString());
            JsonElement counted = await Curl(server, "/v1/messages/count_tokens",
                """{"model": "gpt-4", "messages": [{"role": "user", "content": "Hello!"}]}""");
            Assert.True(counted.GetProperty("input_tokens").GetInt32() > 0);
        },
        [Feature.Models] = async server =>
        {
            Assert.Equal(Model, (await Curl(server, "/v1/models")).GetProperty("data")[0].GetProperty("id").GetString());
            Assert.Equal("ok", (await Curl(server, "/health")).GetProperty("status").GetString());
        },
        [Feature.Errors] = async server => Assert.Equal("not_found_error",
            (await Curl(server, "/v1/nothing")).GetProperty("error").GetProperty("type").GetString()),
    };

    static async Task<JsonElement> Curl(ServerFixture server, string path, string? body = null)
    {
        string[] data = body is null ? [] : ["-H", "Content-Type: application/json", "-H", "Authorization: Bearer no-key", "-d", body];
        (int exitCode, string output, string errors) = await Programs.Run(
            new ProcessStartInfo("curl", ["-sS", "--max-time", "30", .. data, server.Server.Address + path]));
        Assert.True(exitCode == 0, errors);
        return JsonElement.Parse(output);
    }
}
