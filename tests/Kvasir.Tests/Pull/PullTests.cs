using Kvasir.Cli.Pull;
using Kvasir.Cli.Stores;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Tests.Pull;

/// <summary>What is fetched from the hub lies where its other clients look, and nothing else does.</summary>
public sealed class PullTests : IAsyncLifetime
{
    const string Token = "hf_secret";

    PullFixture _pull = null!;

    FakeHub Hub => _pull.Hub;

    public async ValueTask InitializeAsync() => _pull = await PullFixture.Start();

    public ValueTask DisposeAsync() => _pull.DisposeAsync();

    [Fact]
    public async Task A_file_of_the_type_is_fetched_into_the_layout_that_others_share()
    {
        byte[] bytes = Hub.Add("tiny-Q4_K_M.gguf", 300_000);
        Hub.Add("tiny-Q8_0.gguf", 1000);
        Hub.Add("config.json", "{}"u8.ToArray());
        PullResult result = await _pull.Pull();
        Assert.Equal(Path.Combine(_pull.Snapshot, "tiny-Q4_K_M.gguf"), result.Path);
        Assert.Equal(bytes, File.ReadAllBytes(result.Path));
        Assert.Equal(Path.Combine("..", "..", "blobs", FakeHub.Sha256(bytes)), new FileInfo(result.Path).LinkTarget);
        Assert.Equal([FakeHub.Sha256(bytes)], _pull.Blobs);
        Assert.Equal(FakeHub.Commit, File.ReadAllText(Path.Combine(_pull.Repository, "refs", "main"))); // no line feed
        Assert.Equal([FakeHub.Sha256(bytes) + ".lock"],
            Directory.GetFiles(Path.Combine(_pull.Cache, ".locks", "models--Org--Tiny")).Select(path => Path.GetFileName(path)));
        Assert.Equal(bytes.Length, result.Fetched);
        ModelPlaces places = ModelPlaces.Of(name => name == "HF_HUB_CACHE" ? _pull.Cache : null, "/nowhere");
        Assert.Equal(result.Path, new LocalModels(places).Find("Org/Tiny"));
    }

    [Fact]
    public async Task A_folder_is_fetched_without_programs()
    {
        foreach (string path in (string[])["config.json", "tokenizer.json", "model.safetensors.index.json"])
            Hub.Add(path, "{}"u8.ToArray());
        foreach (string path in (string[])["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
            "consolidated.safetensors",
            "pytorch_model.bin", "modeling_tiny.py", "README.md", "sub/model.safetensors"])
            Hub.Add(path, 100 + path.Length);
        PullResult result = await _pull.Pull();
        Assert.Equal(_pull.Snapshot, result.Path);
        Assert.Equal(["config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json",
            "tokenizer.json"], HubCache.Paths(_pull.Snapshot));
        Assert.Contains(FakeHub.Sha1("{}"u8.ToArray()), _pull.Blobs);
        await _pull.Fails("modeling_tiny.py is a program rather than data", include: ["*.py"]);
        await _pull.Pull(include: ["sub/*"]);
        FileInfo below = new(Path.Combine(_pull.Snapshot, "sub", "model.safetensors"));
        Assert.Equal(Path.Combine("..", "..", "..", "blobs", FakeHub.Sha256(File.ReadAllBytes(below.FullName))), below.LinkTarget);
    }

    [Fact]
    public async Task All_parts_are_fetched_and_what_is_here_is_not()
    {
        Hub.Add("Q8_0/tiny-Q8_0-00001-of-00002.gguf", 100);
        Hub.Add("Q8_0/tiny-Q8_0-00002-of-00002.gguf", 101);
        PullResult first = await _pull.Pull("Org/Tiny:q8_0");
        Assert.Equal((2, 201), (first.Files.Count, first.Fetched));
        Hub.Requests.Clear();
        Assert.Equal(0, (await _pull.Pull("Org/Tiny:q8_0")).Fetched);
        Assert.DoesNotContain(Hub.Requests, request => request.IsCdn || request.Path.Contains("resolve", StringComparison.Ordinal));
        await _pull.Fails("no GGUF file of that type; there is Q8_0", "Org/Tiny:Q4_0");
    }

    [Fact]
    public async Task The_token_is_for_the_hub_alone()
    {
        Hub.Add("tiny-Q8_0.gguf", 1000);
        await _pull.Pull(token: Token);
        Assert.All(Hub.Requests, request => Assert.Equal(request.IsCdn ? "" : $"Bearer {Token}", request.Authorization));
        Assert.NotEmpty(Hub.OfCdn);
    }

    [Fact]
    public async Task A_renamed_repository_is_followed_with_the_token()
    {
        Hub.Add("tiny-Q8_0.gguf", 1000);
        Hub.OnHub = context => Task.FromResult(Moved(context));
        await _pull.Pull("Old/Name", Token);
        Assert.All(Hub.Requests, request => Assert.Equal(request.IsCdn ? "" : $"Bearer {Token}", request.Authorization));

        static bool Moved(HttpContext context)
        {
            if (!context.Request.Path.Value!.Contains("Old/Name", StringComparison.Ordinal))
                return false;
            context.Response.StatusCode = 307;
            context.Response.Headers.Location =
                context.Request.Path.Value.Replace("Old/Name", "Org/Tiny", StringComparison.Ordinal) + context.Request.QueryString;
            return true;
        }
    }

    [Fact]
    public async Task Pages_are_read_to_the_last()
    {
        for (int i = 0; i < 7; i++)
            Hub.Add($"{i}.txt", 10);
        Hub.Add("tiny-Q8_0.gguf", 1000);
        Hub.PageSize = 2;
        Assert.Equal(1000, (await _pull.Pull()).Fetched);
        Hub.NextPage = () => "http://169.254.169.254/latest";
        await _pull.Fails("a next page at ", token: Token);
    }

    [Fact]
    public async Task Where_there_are_no_links_the_files_are_in_the_snapshot()
    {
        byte[] bytes = Hub.Add("tiny-Q8_0.gguf", 1000);
        PullResult result = await _pull.Pull(links: false);
        Assert.Null(new FileInfo(result.Path).LinkTarget);
        Assert.Equal(bytes, File.ReadAllBytes(result.Path));
        Assert.Empty(_pull.Blobs);
        Assert.Equal(0, (await _pull.Pull(links: false)).Fetched);
    }

    [Theory, InlineData(true), InlineData(false)]
    public async Task Of_two_at_once_one_fetches_and_the_other_waits(bool links)
    {
        byte[] bytes = Hub.Add("tiny-Q8_0.gguf", 1_000_000);
        TaskCompletionSource isWaiting = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Hub.OnCdn = async (_, _) =>
        {
            await isWaiting.Task;
            return false;
        };
        Watcher watcher = new(isWaiting);
        PullResult[] results = await Task.WhenAll(
            _pull.Pull(links: links, progress: watcher), _pull.Pull(links: links, progress: watcher));
        Assert.Single(Hub.OfCdn);
        Assert.Equal(bytes.Length, results.Sum(result => result.Fetched));
        Assert.All(results, result => Assert.Equal(bytes, File.ReadAllBytes(result.Path)));
    }

    [Fact]
    public async Task Revisions_are_branches_tags_and_commits()
    {
        Hub.Add("tiny-Q8_0.gguf", 1000);
        await _pull.Pull(revision: FakeHub.Commit);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(_pull.Repository, "refs")));
        await _pull.Fails("no revision 'v9'; there is main", revision: "v9");
        await _pull.Fails("a revision '../../x', expected a branch", revision: "../../x");
    }

    [Fact]
    public void Variables_say_whom_to_ask()
    {
        HubSettings Of(params (string Name, string Value)[] variables) => HubSettings.Of(
            name => variables.FirstOrDefault(variable => variable.Name == name).Value, ModelPlaces.Of(_ => null, _pull.Outside));
        Assert.Equal(("https://huggingface.co/", (string?)null, false, true),
            (Of().Endpoint.ToString(), Of().Token, Of().IsOffline, Of().UsesLinks));
        Assert.Equal("https://mirror.example/hf/", Of(("HF_ENDPOINT", "https://mirror.example/hf")).Endpoint.ToString());
        Assert.Equal(Token, Of(("HF_TOKEN", Token + "\n")).Token);
        Assert.True(Of(("HF_HUB_OFFLINE", "1")).IsOffline && Of(("TRANSFORMERS_OFFLINE", "yes")).IsOffline);
        Assert.False(Of(("HF_HUB_OFFLINE", "0")).IsOffline);
        Assert.False(Of(("HF_HUB_DISABLE_SYMLINKS", "1")).UsesLinks);
        string file = Path.Combine(_pull.Outside, "token");
        File.WriteAllText(file, Token + "\n");
        Assert.Equal(Token, Of(("HF_TOKEN_PATH", file)).Token);
        Assert.ThrowsAny<Exception>(() => Of(("HF_ENDPOINT", "file:///etc")));
        Exception error = Assert.ThrowsAny<Exception>(() => Of(("HF_TOKEN", "hf a\r\nb")));
        Assert.DoesNotContain("hf a", error.Message, StringComparison.Ordinal);
    }

    sealed class Watcher(TaskCompletionSource isWaiting) : IProgress<PullProgress>
    {
        public void Report(PullProgress value)
        {
            if (value.IsWaiting)
                isWaiting.TrySetResult();
        }
    }
}
