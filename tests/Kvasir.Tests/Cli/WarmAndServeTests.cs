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

    public WarmAndServeTests()
    {
        string document = Run("sample-document", "--facts", "40", "--seed", "5").Answer;
        _document = _folder.Write("document.txt", RawGguf.Bytes(document));
    }

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
        JsonObject user = new() { ["role"] = "user", ["content"] = question }, system = new() { ["role"] = "system", ["content"] = System };
        JsonObject completions = new() { ["messages"] = new JsonArray(system, user.DeepClone()), ["max_tokens"] = 4 };
        JsonObject responses = new() { ["instructions"] = System, ["input"] = question, ["max_output_tokens"] = 4 };
        JsonObject messages = new() { ["system"] = System, ["messages"] = new JsonArray(user), ["max_tokens"] = 4 };
        return
        [
            ("/v1/chat/completions", completions, "usage.prompt_tokens_details.cached_tokens"),
            ("/v1/responses", responses, "usage.input_tokens_details.cached_tokens"),
            ("/v1/messages", messages, "usage.cache_read_input_tokens"),
        ];
    }

    [Theory]
    [InlineData(null), InlineData("llama2"), InlineData("harmony")]
    public async Task A_server_finds_what_warm_and_run_have_computed(string? template)
    {
        JsonElement warmed = RunWith(_folder["cache"], ["kv", "warm", "-f", _document, "--json", .. Template(template)]).Json;
        int warm = warmed.GetProperty("tokens").GetInt32();
        JsonElement run = RunWith(_folder["cache"], ["run", "-f", _document, Question, "-n", "4", "--json", .. Template(template)]).Json;
        int prompt = run.GetProperty("prompt_tokens").GetInt32();
        Assert.InRange(run.GetProperty("kv").GetProperty("reused").GetProperty("disk").GetInt32(), warm - 1, warm + 1);
        using KvasirProcess server = await Serve(template);
        foreach ((string path, JsonObject body, string cached) in Asked(Question))
            Assert.Equal(prompt - 1, Cached(await Post(path, body), cached));
        foreach ((string path, JsonObject body, string cached) in Asked("Is Rolf at home?"))
            Assert.InRange(Cached(await Post(path, body), cached), warm, int.MaxValue);
        server.Interrupt();
        Assert.Equal(0, server.Finish().ExitCode);

        static int Cached((HttpStatusCode Status, JsonElement Answer) response, string path)
        {
            Assert.Equal(HttpStatusCode.OK, response.Status);
            return path.Split('.').Aggregate(response.Answer, (json, name) => json.GetProperty(name)).GetInt32();
        }
    }

    /// <summary>Requests may ask for views where policies are allowed, as much as where one holds for all.</summary>
    [Fact]
    public async Task A_pool_has_room_for_a_view_beside_its_prefix_where_anybody_may_ask_for_one()
    {
        long exact = await Pool(), held = await Pool("--kv-retain", "25%"), allowed = await Pool("--kv-retain-allow", "replay:25%");
        Assert.InRange(allowed - exact, 1, exact);
        Assert.Equal(allowed, held);

        async Task<long> Pool(params string[] flags)
        {
            using KvasirProcess server = StartWith(_folder["cache"], ["serve", "--port", "0", "--json", "--no-persist", .. flags]);
            string started = (await server.Output.ReadLineAsync(TestContext.Current.CancellationToken))!;
            server.Interrupt();
            server.Finish().Succeeds();
            return JsonElement.Parse(started).GetProperty("pool_bytes").GetInt64();
        }
    }

    [Fact]
    public async Task A_refusal_is_the_same_line_on_every_road()
    {
        const string refusal = "the model's chat template refuses this conversation: There is no system here";
        string[] run = ["run", "-f", _document, Question], warm = ["kv", "warm", "-f", _document], eval = ["eval", "--documents", "1"];
        foreach (string[] command in (string[][])[run, warm, eval])
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
