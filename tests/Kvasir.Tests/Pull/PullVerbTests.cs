using System.Text.Json;
using Kvasir.Inference.Saga;
using Kvasir.Tests.Cli;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Pull;

/// <summary>What is pulled runs by its name, and is listed beside what others have downloaded.</summary>
public sealed class PullVerbTests : IDisposable
{
    readonly TemporaryFolder _folder = new();
    readonly List<string> _layers = [];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_model_is_pulled_listed_and_run_by_its_name()
    {
        await using FakeHub hub = await FakeHub.Start();
        hub.Add("tiny-Q8_0.gguf", File.ReadAllBytes(SagaModel.Path));
        Run(hub, "run", "-m", "Org/Tiny", "Once").Fails(1, "`kvasir pull Org/Tiny` fetches it");
        Run(hub, "pull", "Org/Tiny", "--revision", "x").Fails(1, "no revision 'x'; there is main");
        Run(hub, "pull", "tiny").Fails(2, "NAME: saw 'tiny', expected org/repo");
        Run(hub, "pull", "ollama:tiny").Fails(2, "`ollama pull` fetches that");
        KvasirResult pulled = Run(hub, "pull", "Org/Tiny", "--json");
        Assert.Equal(["tiny-Q8_0.gguf"], pulled.JsonLines[..^1].Select(file => file.GetProperty("file").GetString()));
        string path = pulled.JsonLines[^1].GetProperty("path").GetString()!;
        Assert.Equal(File.ReadAllBytes(SagaModel.Path), File.ReadAllBytes(path));
        KvasirResult again = Run(hub, "pull", "Org/Tiny:Q8_0");
        Assert.Equal($"{path}\n", again.Answer);
        Assert.Contains("all of which was here", again.Errors, StringComparison.Ordinal);
        Assert.Equal(Run(hub, "run", "Once", "--max-tokens", "4").Answer,
            Run(hub, "run", "-m", "Org/Tiny", "Once", "--max-tokens", "4").Answer);
        JsonElement[] models = Run(hub, "models", "--json").JsonLines;
        Assert.Equal(["saga", "Org/Tiny:Q8_0"], models.Select(model => model.GetProperty("name").GetString()));
        Assert.Equal(models[0].GetProperty("kv_bytes_per_token").GetInt64(), models[1].GetProperty("kv_bytes_per_token").GetInt64());
    }

    [Fact]
    public async Task A_model_of_Ollama_runs_in_place_with_what_its_makers_set()
    {
        await using FakeHub hub = await FakeHub.Start();
        string ollama = Path.Combine(_folder[""], ".ollama", "models");
        Add("model", File.ReadAllBytes(SagaModel.Path));
        Add("template", "{{ .Prompt }}"u8.ToArray());
        Add("params", """{"num_predict": 3, "num_ctx": 128, "num_gpu": 1}"""u8.ToArray());
        Add("system", "You are a bard."u8.ToArray());
        string layers = string.Join(',', _layers);
        Directory.CreateDirectory(Path.Combine(ollama, "manifests", "registry.ollama.ai", "library", "bard"));
        File.WriteAllText(
            Path.Combine(ollama, "manifests", "registry.ollama.ai", "library", "bard", "latest"), $$"""{"layers": [{{layers}}]}""");
        KvasirResult result = Run(hub, "run", "-m", "ollama:bard", "--json", "Once");
        Assert.Equal(3, result.Json.GetProperty("completion_tokens").GetInt32());
        Assert.Contains(
            "not used: template, num_gpu; prompts are written by the template in its GGUF file", result.Errors, StringComparison.Ordinal);
        Assert.Equal(5, Run(hub, "run", "-m", "ollama:bard", "--json", "Once", "-n", "5").Json.GetProperty("completion_tokens").GetInt32());
        Assert.Equal(Run(hub, "estimate", "saga", "--csv").Answer, Run(hub, "estimate", "ollama:bard", "--csv").Answer);
        Run(hub, "run", "-m", "ollama:other", "Once").Fails(1, "Ollama has no such model in ");

        void Add(string kind, byte[] bytes)
        {
            string hash = FakeHub.Sha256(bytes);
            Directory.CreateDirectory(Path.Combine(ollama, "blobs"));
            File.WriteAllBytes(Path.Combine(ollama, "blobs", $"sha256-{hash}"), bytes);
            _layers.Add($$"""{"mediaType": "application/vnd.ollama.image.{{kind}}", "digest": "sha256:{{hash}}"}""");
        }
    }

    [Fact]
    public async Task A_process_that_is_killed_leaves_a_beginning_that_the_next_goes_on_with()
    {
        await using FakeHub hub = await FakeHub.Start();
        byte[] bytes = hub.Add("tiny-Q8_0.gguf", 2_000_000);
        hub.OnCdn = async (context, all) =>
        {
            context.Response.ContentLength = all.Length;
            await context.Response.Body.WriteAsync(all.AsMemory(0, all.Length / 2));
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
            return true;
        };
        string repository = Path.Combine(_folder["cache"], "huggingface", "hub", "models--Org--Tiny"),
            begun = Path.Combine(repository, "blobs", FakeHub.Sha256(bytes) + ".kvasir.incomplete");
        using (KvasirProcess killed = KvasirProcess.StartIn(Environment(hub), "pull", "Org/Tiny"))
            while (!File.Exists(begun) || new FileInfo(begun).Length < bytes.Length / 2)
                await Task.Delay(20, TestContext.Current.CancellationToken);
        Run(hub, "run", "-m", "Org/Tiny", "Once").Fails(1, "`kvasir pull Org/Tiny` fetches it");
        hub.OnCdn = null;
        JsonElement done = Run(hub, "pull", "Org/Tiny", "--json").JsonLines[^1];
        Assert.Equal(bytes.Length / 2, done.GetProperty("fetched_bytes").GetInt64());
        Assert.Equal(bytes, File.ReadAllBytes(done.GetProperty("path").GetString()!));
        Assert.False(File.Exists(begun));
    }

    [Fact]
    public async Task Offline_nothing_is_asked_and_what_is_here_and_whole_is_the_answer()
    {
        await using FakeHub hub = await FakeHub.Start();
        hub.Add("tiny-Q8_0.gguf", File.ReadAllBytes(SagaModel.Path));
        JsonElement pulled = Run(hub, "pull", "Org/Tiny", "--json").JsonLines[^1];
        int asked = hub.Requests.Count;
        Dictionary<string, string> offline = Environment(hub, ("HF_HUB_OFFLINE", "1"));
        JsonElement[] here = KvasirProcess.RunIn(offline, "pull", "Org/Tiny", "--json").JsonLines;
        foreach (string same in (string[])["name", "commit", "path", "bytes"])
            Assert.Equal($"{pulled.GetProperty(same)}", $"{here[^1].GetProperty(same)}");
        Assert.Equal(0, here[^1].GetProperty("fetched_bytes").GetInt64());
        Assert.Equal(FakeHub.Sha256(File.ReadAllBytes(SagaModel.Path)), here[0].GetProperty("hash").GetString());
        Run(hub, "pull", "Org/Tiny:Q4_K_M", "--offline").Fails(1, "a GGUF file of type Q4_K_M");
        Run(hub, "pull", "Org/Other", "--offline").Fails(1, "Org/Other: nothing of revision main is here, in ");
        Assert.Equal(asked, hub.Requests.Count);
    }

    KvasirResult Run(FakeHub hub, params string[] args) => KvasirProcess.RunIn(Environment(hub), args);

    Dictionary<string, string> Environment(FakeHub hub, params (string Name, string Value)[] more)
    {
        Dictionary<string, string> variables = new()
        {
            ["HOME"] = _folder[""], ["USERPROFILE"] = _folder[""], ["XDG_CACHE_HOME"] = _folder["cache"],
            ["HF_ENDPOINT"] = $"{hub.Endpoint}",
            ["HF_TOKEN"] = "", ["HF_HOME"] = "", ["HF_HUB_CACHE"] = "", ["OLLAMA_MODELS"] = "", ["LLAMA_CACHE"] = "",
            ["HF_HUB_OFFLINE"] = "",
        };
        foreach ((string name, string value) in more)
            variables[name] = value;
        return variables;
    }
}
