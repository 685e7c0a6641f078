using Kvasir.Cli.Stores;
using Kvasir.Cli.Verbs;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Stores;

/// <summary>Every model on the machine is a line, whatever is wrong with it.</summary>
public sealed class ModelLineTests : IDisposable
{
    static readonly byte[] s_gguf = TinyModel.Qwen2.ToBytes();

    readonly MachineModels _machine = new();

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void Models_of_all_stores_are_listed_once()
    {
        _machine.AddToHub("Org/Tiny-GGUF", ("tiny-Q8_0.gguf", s_gguf), ("odd.gguf", [.. s_gguf, 0]), ("mmproj-tiny.gguf", [1]));
        _machine.AddToHub("Org/Dataset", ("data.txt", [1]));
        _machine.AddToOllama("library/tiny/latest", ("model", s_gguf));
        string studio = MachineModels.Write(Path.Combine(_machine.Home, ".lmstudio", "models", "a", "b", "c.gguf"), s_gguf),
            llama = MachineModels.Write(Path.Combine(_machine.Home, ".cache", "llama.cpp", "d-Q8_0.gguf"), s_gguf);
        ModelLine[] lines = [.. _machine.Models.All().Select(ModelLine.Of)];
        string odd = Path.Combine(_machine.Hub, "models--Org--Tiny-GGUF", "snapshots", MachineModels.Commit, "odd.gguf");
        Assert.Equal(
            [(odd, "hub"), ("Org/Tiny-GGUF:Q8_0", "hub"), ("ollama:tiny:latest", "ollama"), (studio, "lm studio"), (llama, "llama.cpp")],
            lines.Select(line => (line.Name, line.Store)));
        Assert.All(lines, line => Assert.Equal(("qwen2", 256L, null), (line.Family, line.KvBytesPerToken, line.NotRunnable)));
        Assert.All(lines.Where(line => line.Name != odd), line => Assert.Equal(s_gguf.Length, line.Bytes));
    }

    [Fact]
    public void What_is_damaged_or_cannot_run_says_why()
    {
        _machine.AddToHub("Org/Cut-GGUF", ("tiny-Q8_0.gguf", s_gguf[..1000]));
        _machine.AddToHub("Org/Empty", ("config.json", "{}"u8.ToArray()), ("model.safetensors", [1]));
        _machine.AddToHub("Org/Part-GGUF", ("t-Q8_0-00001-of-00002.gguf", s_gguf));
        _machine.AddToHub("Org/Mamba-GGUF", ("m-F16.gguf", new RawGguf().Key("general.architecture", 8, RawGguf.Text("mamba")).ToArray()));
        Directory.CreateDirectory(Path.Combine(_machine.Hub, "models--Org--Begun", "blobs"));
        File.WriteAllText(_machine.AddToOllama("library/tiny/latest"), "{");
        string dangling = _machine.AddToHub("Org/Dangling", ("d-Q8_0.gguf", s_gguf));
        File.Delete(Path.Combine(dangling, "..", "..", "blobs", MachineModels.Hash(s_gguf)));
        Dictionary<string, ModelLine> lines = _machine.Models.All().Select(ModelLine.Of).ToDictionary(line => line.Name);
        Assert.Equal(7, lines.Count);
        Assert.All(lines.Values, line => Assert.DoesNotContain('\n', line.NotRunnable!));
        Assert.Contains("mamba", lines["Org/Mamba-GGUF:F16"].NotRunnable!, StringComparison.Ordinal);
        Assert.Equal("mamba", lines["Org/Mamba-GGUF:F16"].Family);
        Assert.Contains("expected part 2 of 2", lines["Org/Part-GGUF:Q8_0"].NotRunnable!, StringComparison.Ordinal);
        Assert.Contains("`kvasir pull Org/Begun` fetches that", lines["Org/Begun"].NotRunnable!, StringComparison.Ordinal);
        Assert.Contains("no valid JSON", lines["ollama:tiny:latest"].NotRunnable!, StringComparison.Ordinal);
        Assert.Contains("it does not exist", lines["Org/Dangling:Q8_0"].NotRunnable!, StringComparison.Ordinal);
    }
}
