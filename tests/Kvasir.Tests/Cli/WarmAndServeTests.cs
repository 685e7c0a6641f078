using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Templates;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary>What one process has computed of a conversation, a server in another finds, in every protocol and with any template.</summary>
public sealed class WarmAndServeTests : IDisposable
{
    const string Question = "How many dogs does Helga have?";

    readonly TemporaryFolder _folder = new();
    readonly HttpClient _client = new();
    readonly string _document;

    public WarmAndServeTests() => _document = _folder.Write("document.txt", RawGguf.Bytes(Run("sample-document", "--facts", "40", "--seed", "5").Answer));

    public void Dispose()
    {
        _client.Dispose();
        _folder.Dispose();
    }

    string System => $"Answer from this saga.\n{File.ReadAllText(_document).Trim()}";

    static string[] Template(string? name) => name is null ? [] : ["--chat-template-file", Path.Combine(Corpus.Folder, $"{name}.jinja")];

    async Task<KvasirProcess> Serve(string? template)
    {
        KvasirProcess server = StartWith(_folder["cache"], ["serve", "--port", "0", "--quiet", .. Template(template)]);
        _client.BaseAddress = new Uri((await server.Note(new Regex("at (http://[^ ]+)"))).Groups[1].Value);
        return server;
    }

    async Task<(HttpStatusCode Status, JsonElement Answer)> Post(string path, JsonObject body)
    {
        body["temperature"] = 0;
        using HttpResponseMessage response = await _client.PostAsync(path, JsonContent.Create(body), TestContext.Current.CancellationToken);
        return (response.StatusCode, await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken));
    }

    /// <summary>The question about the document, in the words of each protocol, and where its answer says what was cached.</summary>
    IEnumerable<(string Path, JsonObject Body, string Cached)> Asked(string question)
    {
        JsonObject Turn(string role, string content) => new() { ["role"] = role, ["content"] = content };
        yield return ("/v1/chat/completions", new() { ["messages"] = new JsonArray(Turn("system", System), Turn("user", question)), ["max_tokens"] = 4 },
            "usage.prompt_tokens_details.cached_tokens");
        yield return ("/v1/responses", new() { ["instructions"] = System, ["input"] = question, ["max_output_tokens"] = 4 }, "usage.input_tokens_details.cached_tokens");
        yield return ("/v1/messages", new() { ["system"] = System, ["messages"] = new JsonArray(Turn("user", question)), ["max_tokens"] = 4 },
            "usage.cache_read_input_tokens");
    }

    [Theory]
    [InlineData(null), InlineData("llama2"), InlineData("harmony")]
    public async Task A_server_finds_what_warm_and_run_have_computed(string? template)
    {
        int warm = RunWith(_folder["cache"], ["kv", "warm", "-f", _document, "--json", .. Template(template)]).Json.GetProperty("tokens").GetInt32();
        JsonElement run = RunWith(_folder["cache"], ["run", "-f", _document, Question, "-n", "4", "--json", .. Template(template)]).Json;
        int prompt = run.GetProperty("prompt_tokens").GetInt32();
        Assert.InRange(run.GetProperty("kv").GetProperty("reused").GetProperty("disk").GetInt32(), warm - 1, warm + 1);
        using KvasirProcess server = await Serve(template);
        foreach ((string path, JsonObject body, string cached) in Asked(Question))
            Assert.Equal(prompt - 1, Cached(await Post(path, body), cached));
        foreach ((string path, JsonObject body, string cached) in Asked("Is Rolf at home?"))
            Assert.InRange(Cached(await Post(path, body), cached), warm, prompt - 1);
        server.Interrupt();
        Assert.Equal(0, server.Finish().ExitCode);

        static int Cached((HttpStatusCode Status, JsonElement Answer) response, string path)
        {
            Assert.Equal(HttpStatusCode.OK, response.Status);
            return path.Split('.').Aggregate(response.Answer, (json, name) => json.GetProperty(name)).GetInt32();
        }
    }

    [Fact]
    public async Task A_refusal_is_the_same_line_on_every_road()
    {
        const string refusal = "the model's chat template refuses this conversation: There is no system here";
        foreach (string[] command in (string[][])[["run", "-f", _document, Question], ["kv", "warm", "-f", _document], ["eval", "--facts", "3", "--documents", "1"]])
        {
            KvasirResult result = RunWith(_folder["cache"], [.. command, .. Template("gemma2")]);
            Assert.Equal((1, $"kvasir: {refusal}\n"), (result.ExitCode, result.Errors));
        }
        using KvasirProcess server = await Serve("gemma2");
        foreach ((string path, JsonObject body, _) in Asked(Question))
        {
            (HttpStatusCode status, JsonElement answer) = await Post(path, body);
            Assert.Equal((HttpStatusCode.BadRequest, refusal), (status, answer.GetProperty("error").GetProperty("message").GetString()));
        }
        server.Interrupt();
        Assert.Equal(0, server.Finish().ExitCode);
    }
}
