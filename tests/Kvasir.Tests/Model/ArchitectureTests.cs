using System.Text.Json;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Model;

/// <summary>
/// Every architecture and variant on tiny models of random weights, against logits that llama.cpp computed for the very same files (f32
/// weights and KV, no flash attention; <c>Golden/architectures.json</c>: the logits after the last of the tokens).
/// </summary>
public class ArchitectureTests
{
    internal static Dictionary<string, TinyModel> Models { get; } = new()
    {
        ["llama-untied"] = TinyModel.Llama,
        ["llama3-rope-factors"] = TinyModel.Llama3,
        ["qwen2-biases"] = TinyModel.Qwen2,
        ["qwen3-qk-norm"] = TinyModel.Qwen3,
        ["multi-query"] = TinyModel.Llama with { KvHeads = 1 },
        ["multi-head"] = TinyModel.Llama with { KvHeads = 4 },
        ["odd-widths"] = TinyModel.Llama with { HeadDim = 8, FeedForward = 100, Embedding = 40 },
    };

    public static TheoryData<string> Names => [.. Models.Keys];

    [Theory, MemberData(nameof(Names))]
    public void Logits_are_those_of_llama_cpp(string name)
    {
        using var folder = new TemporaryFolder();
        using var model = LanguageModel.Load(Models[name].WriteTo(folder["tiny.gguf"]));
        using var engine = new InferenceEngine(model, StoredAs.Floats);
        using Sequence sequence = engine.NewSequence();
        JsonElement golden = Golden(name);
        sequence.Append([.. golden.GetProperty("tokens").EnumerateArray().Select(token => token.GetInt32())]);
        float[] expected = [.. golden.GetProperty("logits").EnumerateArray().Select(logit => logit.GetSingle())];
        float[] actual = engine.ComputeLogits(sequence)[^1];
        Assert.Equal(expected.Length, actual.Length);
        float scale = expected.Max(MathF.Abs);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 1e-4f * scale);
    }

    static JsonElement Golden(string name) =>
        JsonDocument.Parse(File.ReadAllText(Path.Combine(Checkout.Root, "tests/Kvasir.Tests/Golden/architectures.json"))).RootElement
            .GetProperty(name);
}
