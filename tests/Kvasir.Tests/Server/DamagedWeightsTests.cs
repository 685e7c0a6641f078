using System.Net;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Server;
using Kvasir.Tests.Cli;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary>A model whose weights make what is no number: every way of asking it says so, and nothing else.</summary>
public sealed class DamagedWeightsTests : IDisposable
{
    const string Said = "tiny: logits with values that are no numbers: the model's weights are damaged";

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>A tiny model, some of whose final norm's weights are such values.</summary>
    string Damaged(float value, int count)
    {
        string path = TinyModel.Llama.WriteTo(_folder[$"{value}-{count}.gguf"]);
        StoredTensor norm;
        using (GgufFile file = GgufFile.Open(path))
            norm = file.GetTensor("output_norm.weight");
        using FileStream stream = File.OpenWrite(path);
        stream.Position = norm.Offset;
        stream.Write(MemoryMarshal.AsBytes<float>(Enumerable.Repeat(value, count).ToArray()));
        return path;
    }

    [Theory]
    [InlineData(float.NaN, 64)]
    [InlineData(float.NaN, 1)]
    [InlineData(float.PositiveInfinity, 2)]
    public void The_command_fails_with_one_line(float value, int count)
    {
        string model = Damaged(value, count);
        foreach (string[] more in (string[][])[[], ["--temp", "1"], ["--json"]])
        {
            KvasirResult result = KvasirProcess.Run(["run", "-m", model, "--raw", "--no-persist", "a", .. more]);
            Assert.Equal((1, $"kvasir: {Said}\n"), (result.ExitCode, result.Errors));
        }
    }

    [Theory]
    [InlineData("/v1/chat/completions", "")]
    [InlineData("/v1/chat/completions", """, "logprobs": true, "top_logprobs": 2""")]
    [InlineData("/v1/chat/completions", """, "response_format": {"type": "json_object"}""")]
    [InlineData("/v1/completions", """, "logprobs": 2""")]
    [InlineData("/v1/responses", "")]
    [InlineData("/v1/messages", "")]
    public async Task The_server_answers_with_a_code_and_a_stream_ends_with_an_error(string path, string more)
    {
        List<string> lines = [];
        await using ServerFixture server = await ServerFixture.Start(new Inference.EngineOptions { Context = 256 },
            new ServerOptions { Log = lines.Add, LogsRequests = false }, model: Damaged(float.NaN, 64));
        JsonNode Body(string end) => JsonNode.Parse("""{"messages": [{"role": "user", "content": "a"}], "input": "a", "prompt": "a" """
            + (path == "/v1/responses" ? "" : """, "max_tokens": 4""") + more + end + "}")!;
        JsonNode whole = Body(""), streamed = Body(""", "stream": true""");
        foreach (JsonNode body in (JsonNode[])[whole, streamed])
            foreach (string other in new[] { "messages", "input", "prompt" }.Where(name => name != Field(path)))
                body.AsObject().Remove(other);

        using HttpResponseMessage failed = await server.Post(path, whole);
        JsonElement error = JsonDocument.Parse(await failed.Content.ReadAsStringAsync(ServerFixture.Patience)).RootElement
            .GetProperty("error");
        Assert.Equal((HttpStatusCode.InternalServerError, Said), (failed.StatusCode, error.GetProperty("message").GetString()));
        if (path != "/v1/messages") // whose errors have no code
            Assert.Equal("logits_not_numbers", error.GetProperty("code").GetString());

        using HttpResponseMessage stream = await server.Post(path, streamed); // and no reset
        Assert.Equal(HttpStatusCode.OK, stream.StatusCode);
        string last = (await stream.Content.ReadAsStringAsync(ServerFixture.Patience)).TrimEnd().Split("\n\n")[^1];
        Assert.Contains("error", last, StringComparison.Ordinal);
        Assert.Contains(Said, last, StringComparison.Ordinal);
        await server.AssertIdle();
        Assert.Equal([$"error POST {path}: {Said}", $"error POST {path}: {Said}"], lines); // quiet as it is
    }

    static string Field(string path) => path switch { "/v1/completions" => "prompt", "/v1/responses" => "input", _ => "messages" };

    [Fact]
    public async Task A_vector_that_is_none_is_an_error()
    {
        await using ServerFixture server = await ServerFixture.Start(new Inference.EngineOptions { Context = 256 },
            model: Damaged(float.NaN, 64));
        using HttpResponseMessage failed = await server.Post("/v1/embeddings", new JsonObject { ["input"] = "a" });
        Assert.Equal(HttpStatusCode.InternalServerError, failed.StatusCode);
        Assert.Contains("hidden state", await failed.Content.ReadAsStringAsync(ServerFixture.Patience), StringComparison.Ordinal);
    }
}
