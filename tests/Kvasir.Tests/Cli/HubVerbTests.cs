using System.Text.Json;
using System.Text.Json.Nodes;
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
        Assert.Contains("'q4_k_m' not recognized", Run("run", Once, "-m", hub, "--weights", "q4_k_m").Errors, StringComparison.Ordinal);
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
        Assert.Equal(advised, Run([.. run, "--temp", "5", "--top-k", "50"]).Answer);
        Assert.NotEqual(advised, Run([.. run, "--temp", "0"]).Answer);
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
