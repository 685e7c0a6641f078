using Kvasir.Cli.Pull;
using Kvasir.Cli.Stores;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Pull;

/// <summary>What is found in a cache without asking anybody, whoever has filled it.</summary>
public sealed class HubHereTests : IDisposable
{
    static readonly string s_commit = new('a', 40);

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_whole_folder_is_here_by_branch_and_by_commit()
    {
        Snapshot("config.json", "tokenizer.json", "model.safetensors", "README.md");
        PullResult here = Find("Org/Tiny");
        Assert.Equal(["config.json", "model.safetensors", "tokenizer.json"], here.Files.Select(file => file.Path).Order());
        Assert.Equal((s_commit, 0L), (here.Commit, here.Fetched));
        Assert.Equal(here.Path, Find("Org/Tiny", s_commit).Path);
        Assert.Equal(["README.md"], Find("Org/Tiny", "main", "*.md").Files.Select(file => file.Path));
    }

    [Fact]
    public void What_is_missing_is_named()
    {
        Snapshot("config.json", "model-00001-of-00002.safetensors", "model.safetensors.index.json");
        Write("model.safetensors.index.json",
            """{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}""");
        Assert.EndsWith(": tokenizer.json, model-00002-of-00002.safetensors", Fails("Org/Tiny"));
        Write("model.safetensors.index.json", "{}");
        Assert.Contains("no weight_map", Fails("Org/Tiny"));
        Snapshot("tiny-Q8_0-00001-of-00002.gguf");
        Assert.EndsWith(": tiny-Q8_0-00002-of-00002.gguf", Fails("Org/Tiny"));
        Assert.Contains("nothing of revision dev is here", Fails("Org/Tiny", "dev"));
        Assert.Contains("expected a branch", Fails("Org/Tiny", "../main"));
    }

    [Fact]
    public void A_link_to_a_blob_that_is_gone_is_no_file()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links need a right there");
        Snapshot("config.json", "tokenizer.json");
        File.CreateSymbolicLink(Path.Combine(Folder, "model.safetensors"), "../../blobs/gone");
        Assert.EndsWith(": model.safetensors", Fails("Org/Tiny"));
    }

    string Folder => Path.Combine(_folder["hub"], "models--Org--Tiny", "snapshots", s_commit);

    void Snapshot(params string[] files)
    {
        Directory.CreateDirectory(Folder);
        string refs = Path.Combine(_folder["hub"], "models--Org--Tiny", "refs");
        Directory.CreateDirectory(refs);
        File.WriteAllText(Path.Combine(refs, "main"), s_commit);
        foreach (string file in files)
            Write(file, "x");
    }

    void Write(string file, string text) => File.WriteAllText(Path.Combine(Folder, file), text);

    string Fails(string name, string revision = "main") => Assert.Throws<HubException>(() => Find(name, revision)).Message;

    PullResult Find(string name, string revision = "main", params string[] patterns)
    {
        Assert.True(HubName.TryParse(name, out HubName? parsed));
        return HubHere.Find(parsed, [new HubCache(_folder["empty"]), new HubCache(_folder["hub"])], revision, patterns);
    }
}
