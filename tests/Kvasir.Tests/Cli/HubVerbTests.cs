using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Kvasir.Inference.Saga;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary>Folders of the hub where a model is taken.</summary>
public sealed class HubVerbTests : IDisposable
{
    const string Once = "Once upon a time";

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_folder_is_converted_once()
    {
        string hub = HubTwin.Write(SagaInF32.WriteTo(_folder["f32.gguf"]), _folder["hub"]);
        KvasirResult first = Run("run", Once, "-n", "10", "-m", hub, "--weights", "q8_0"),
            second = Run("run", Once, "-n", "10", "-m", hub, "--weights", "q8_0");
        Assert.Contains("weights in q8_0: ", first.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("weights in q8_0", second.Errors, StringComparison.Ordinal);
        Assert.Equal(Run("run", Once, "-n", "10", "-m", SagaModel.Path).Answer, first.Answer); // saga is q8_0
        Assert.Equal(first.Answer, second.Answer);
        Assert.Contains("'q4_k_x' not recognized", Run("run", Once, "-m", hub, "--weights", "q4_k_x").Errors, StringComparison.Ordinal);
        JsonElement converted = Assert.Single(Run("models", "--json").JsonLines,
            model => model.GetProperty("name").GetString() == $"{hub} --weights q8_0");
        Assert.Equal("weights", converted.GetProperty("store").GetString());
        Assert.Equal(JsonValueKind.Null, converted.GetProperty("not_runnable").ValueKind);
    }

    [Fact]
    public void No_cache_is_used_where_the_files_say_so_unless_the_flag_does()
    {
        string hub = HubTwin.Write(SagaInF32.WriteTo(_folder["f32.gguf"]), _folder["hub"]);
        Change(Path.Combine(hub, "config.json"), config => config["use_cache"] = false);
        const string Said = "use_cache is false in the model's files";
        KvasirResult off = Run("run", Once, "-n", "3", "-m", hub), on = Run("run", Once, "-n", "3", "-m", hub, "--no-kv-cache=false");
        Assert.Contains(Said, off.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain(Said, on.Errors, StringComparison.Ordinal);
        Assert.Equal(on.Answer, off.Answer);
    }

    [Fact]
    public void The_makers_advice_holds_where_no_flag_does()
    {
        string hub = HubTwin.Write(SagaInF32.WriteTo(_folder["f32.gguf"]), _folder["hub"]);
        Change(Path.Combine(hub, "generation_config.json"), advice => (advice["do_sample"], advice["temperature"]) = (true, 5.0));
        string[] run = ["run", Once, "-n", "30", "-m", hub, "--seed", "1"];
        string advised = Run(run).Answer;
        Assert.Equal(advised, Run([.. run.Select(word => word == "-m" ? "-hf" : word)]).Answer);
        Run([.. run, "--hf-repo", hub]).Fails(2, "expects a single argument but 2 were provided");
        Assert.Equal(advised, Run([.. run, "--temp", "5", "--top-k", "50"]).Answer);
        Assert.NotEqual(advised, Run([.. run, "--temp", "0"]).Answer);
    }

    [Fact]
    public async Task A_server_takes_the_makers_advice_where_neither_a_flag_nor_a_request_says_otherwise()
    {
        string hub = HubTwin.Write(SagaInF32.WriteTo(_folder["f32.gguf"]), _folder["hub"]);
        Change(Path.Combine(hub, "generation_config.json"), advice =>
            (advice["do_sample"], advice["temperature"], advice["top_p"]) = (true, 0.6, 0.9));
        using KvasirProcess server = Start("serve", "-m", hub, "--port", "0", "--top-k", "7", "--no-persist");
        using HttpClient client = new() { BaseAddress = new Uri((await server.Note(new Regex(@"at (http://\S+) "))).Groups[1].Value) };
        async Task<string> Ask(string more)
        {
            using StringContent body = new($$"""{"prompt": "{{Once}}", "max_tokens": 40, "seed": 1{{more}}}""", Encoding.UTF8, "application/json");
            using HttpResponseMessage answer = await client.PostAsync("/v1/completions", body, TestContext.Current.CancellationToken);
            using JsonDocument json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
            return json.RootElement.GetProperty("choices")[0].GetProperty("text").GetString()!;
        }
        string advised = await Ask("");
        Assert.Equal(advised, await Ask(", \"temperature\": 0.6, \"top_k\": 7, \"top_p\": 0.9, \"min_p\": 0"));
        Assert.NotEqual(advised, await Ask(", \"temperature\": 2, \"top_k\": 0, \"top_p\": 1"));
        server.Interrupt();
        Assert.Contains("sampling where requests say nothing, as the model's makers advise: temperature 0.6, top_p 0.9\n",
            server.Finish().Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Other_verbs_take_a_folder_too()
    {
        string hub = HubTwin.Write(TinyModel.Qwen3.WriteTo(_folder["tiny.gguf"]), _folder["hub"]);
        Assert.Equal(Run("tokenize", "hello the", "-m", _folder["tiny.gguf"]).Answer, Run("tokenize", "hello the", "-m", hub).Answer);
        JsonElement shown = Run("show", hub, "--json").Json;
        Assert.Equal("qwen3", shown.GetProperty("architecture").GetString());
        Assert.Equal(JsonValueKind.Null, shown.GetProperty("gguf_version").ValueKind);
        Assert.Contains("safetensors", Run("show", hub).Answer, StringComparison.Ordinal);
        Assert.Contains("qwen3", Run("estimate", hub).Answer, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(hub, "tokenizer.json"), "{");
        Assert.Matches(@"^kvasir: .*tokenizer\.json: no valid JSON: .*$", Run("run", "x", "-m", hub).Errors.TrimEnd());
    }

    static void Change(string path, Action<JsonNode> change)
    {
        JsonNode json = JsonNode.Parse(File.ReadAllText(path))!;
        change(json);
        File.WriteAllText(path, json.ToJsonString());
    }
}
