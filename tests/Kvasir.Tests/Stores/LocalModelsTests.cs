using Kvasir.Cli.Stores;
using Kvasir.Formats;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Stores;

/// <summary>Names of models on this machine lead to their files.</summary>
public sealed class LocalModelsTests : IDisposable
{
    static readonly byte[] s_gguf = TinyModel.Qwen2.ToBytes();

    readonly MachineModels _machine = new();

    public void Dispose() => _machine.Dispose();

    [Theory]
    [InlineData("a-Q8_0.gguf,a-Q4_K_M.gguf,a-BF16.gguf", null, "a-Q4_K_M.gguf")]
    [InlineData("a-Q8_0.gguf,a-Q5_K_M.gguf", null, "a-Q8_0.gguf")]
    [InlineData("b.gguf,a-IQ2_M.gguf,mmproj-a-Q4_K_M.gguf,mtp-Q8_0.gguf", null, "a-IQ2_M.gguf")]
    [InlineData("a-Q8_0.gguf,a-Q4_K_M.gguf", "q8_0", "a-Q8_0.gguf")]
    [InlineData("a-BF16.gguf,a-F16.gguf", "F16", "a-F16.gguf")]
    [InlineData("a-BF16.gguf", "F16", null)]
    [InlineData("a-Q4_K_M.gguf,a-Q4_K_S.gguf", "Q4_K", null)]
    [InlineData("a.Q4_K_M.gguf", "Q4_K_M", "a.Q4_K_M.gguf")]
    [InlineData("Q8_0/a-Q8_0-00002-of-00002.gguf,Q8_0/a-Q8_0-00001-of-00002.gguf", "Q8_0", "Q8_0/a-Q8_0-00001-of-00002.gguf")]
    [InlineData("config.json,model.safetensors", null, null)]
    [InlineData("a-Q8_0.gguf", "Q8.0", null)]
    [InlineData("a-Q8_0.gguf", ".*", null)]
    public void A_type_chooses_a_file(string paths, string? type, string? expected) =>
        Assert.Equal(expected, GgufChoice.Find(paths.Split(','), type));

    [Fact]
    public void Names_of_the_hub_lead_into_its_cache()
    {
        string snapshot = _machine.AddToHub("Org/Tiny-GGUF", ("tiny-Q8_0.gguf", s_gguf), ("tiny-F16.gguf", [.. s_gguf, 0]));
        Assert.Equal(Path.Combine(snapshot, "tiny-Q8_0.gguf"), _machine.Models.Find("Org/Tiny-GGUF"));
        Assert.Equal(Path.Combine(snapshot, "tiny-F16.gguf"), _machine.Models.Find("Org/Tiny-GGUF:f16"));
        string folder = _machine.AddToHub("Org/Tiny", ("config.json", "{}"u8.ToArray()), ("model.safetensors", [1]));
        Assert.Equal(folder, _machine.Models.Find("Org/Tiny"));
        Assert.Contains("`kvasir pull Org/Tiny:Q4_0` fetches it", Fails("Org/Tiny:Q4_0"), StringComparison.Ordinal);
        Assert.Contains("`kvasir pull Org/Other` fetches it", Fails("Org/Other"), StringComparison.Ordinal);
        Assert.Null(_machine.Models.Find("models/other.gguf")); // a path, and there is none
        Assert.Null(_machine.Models.Find("../../etc/passwd"));
        Assert.Null(_machine.Models.Find("a..b/c"));
    }

    [Theory]
    [InlineData("../../../../etc")]
    [InlineData("")]
    [InlineData("0123456789012345678901234567890123456789/../../blobs")]
    public void A_ref_that_is_no_commit_leads_nowhere(string commit)
    {
        _machine.AddToHub("Org/Tiny", ("tiny-Q8_0.gguf", s_gguf));
        File.WriteAllText(Path.Combine(_machine.Hub, "models--Org--Tiny", "refs", "main"), commit);
        Fails("Org/Tiny");
    }

    [Fact]
    public void Names_of_Ollama_lead_to_its_blobs()
    {
        _machine.AddToOllama("library/tiny/0.6b", ("model", s_gguf), ("template", "{{ .Prompt }}"u8.ToArray()),
            ("system", "Be brief."u8.ToArray()),
            ("params", """{"temperature":0.6,"top_k":20,"stop":["<|im_end|>"],"num_ctx":256,"num_keep":4}"""u8.ToArray()));
        _machine.AddToOllama("someone/tiny/latest", ("model", s_gguf));
        Assert.Equal(s_gguf, File.ReadAllBytes(_machine.Models.Find("ollama:tiny:0.6b")!));
        Assert.NotNull(_machine.Models.Find("ollama:someone/tiny"));
        OllamaModel model = _machine.Models.Ollama.Find("tiny:0.6b")!;
        Assert.Equal(("Be brief.", 0.6, 20.0, 256), (model.System, model.Advice("temp"), model.Advice("top_k"), model.Context));
        Assert.Equal(["<|im_end|>"], model.Stops);
        Assert.Equal(["template", "num_keep"], model.Ignored);
        Assert.Equal(["someone/tiny:latest", "tiny:0.6b"], _machine.Models.Ollama.Names());
        string error = Fails("ollama:tiny");
        Assert.Contains("`ollama pull tiny` fetches it, and there is someone/tiny:latest, tiny:0.6b", error, StringComparison.Ordinal);
        Fails("ollama:../../x");
        Fails("ollama:");
    }

    [Theory]
    [InlineData("adapter"), InlineData("projector"), InlineData("image.tensor")]
    public void What_Ollama_keeps_apart_is_refused_by_name(string kind)
    {
        _machine.AddToOllama("library/tiny/latest", ("model", s_gguf), (kind, "x"u8.ToArray()));
        Assert.Contains(
            $"application/vnd.ollama.image.{kind}, expected a model in one GGUF file", Fails("ollama:tiny"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{", "no valid JSON")]
    [InlineData("[]", "layers: no array")]
    [InlineData("""{"layers": [{}]}""", "layers.mediaType: no text")]
    [InlineData("""{"layers": []}""", "no application/vnd.ollama.image.model")]
    [InlineData("""{"layers": [{"mediaType": "KIND.model", "digest": "sha256:../../../x"}]}""", "digest: 'sha256:../../../x'")]
    [InlineData("""{"layers": [{"mediaType": "KIND.model", "digest": "sha256:HASH"}]}""", "it does not exist")]
    public void A_damaged_manifest_is_one_line(string manifest, string expected)
    {
        File.WriteAllText(_machine.AddToOllama("library/tiny/latest"), manifest
            .Replace("HASH", new string('0', 64), StringComparison.Ordinal)
            .Replace("KIND", "application/vnd.ollama.image", StringComparison.Ordinal));
        Assert.Contains(expected, Fails("ollama:tiny"), StringComparison.Ordinal);
    }

    [Fact]
    public void Variables_say_where_models_lie()
    {
        ModelPlaces Of(params (string Name, string Value)[] variables) =>
            ModelPlaces.Of(name => variables.FirstOrDefault(variable => variable.Name == name).Value, "/home/me");
        Assert.Equal(["/home/me/.cache/huggingface/hub"], Of().HubCaches);
        Assert.Equal("/home/me/.ollama/models", Of().Ollama);
        Assert.Equal(["/c/huggingface/hub"], Of(("XDG_CACHE_HOME", "/c")).HubCaches);
        Assert.Equal(["/hf/hub"], Of(("XDG_CACHE_HOME", "/c"), ("HF_HOME", "/hf")).HubCaches);
        Assert.Equal(["/home/me/hub", "/llama"], Of(("HF_HUB_CACHE", "~/hub"), ("HF_HOME", "/hf"), ("LLAMA_CACHE", "/llama")).HubCaches);
        Assert.Equal("/o", Of(("OLLAMA_MODELS", "/o")).Ollama);
        Assert.Contains("/llama", Of(("LLAMA_CACHE", "/llama")).Folders);
    }

    string Fails(string name)
    {
        string message = Assert.Throws<ModelFormatException>(() => _machine.Models.Find(name)).Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }
}
