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

    /// <summary>Tokens of context: more than Phi-3's original ones here, so that it rotates as in a long context.</summary>
    internal const int Context = 128;

    /// <summary>ggml looks gelu up in a table of halves. The textbook in doubles, which does not, is met to 1e-4 of the largest.</summary>
    const float GeluTolerance = 1e-3f;

    public static TheoryData<string> Names => [.. Models.Keys, .. TinyModel.Families.Keys];

    [Theory, MemberData(nameof(Names))]
    public void Logits_are_those_of_llama_cpp(string name)
    {
        using var folder = new TemporaryFolder();
        using var model = LanguageModel.Load((Models.GetValueOrDefault(name) ?? TinyModel.Families[name]).WriteTo(folder["tiny.gguf"]));
        using var engine = new InferenceEngine(model, StoredAs.Floats with { Context = Context });
        using Sequence sequence = engine.NewSequence();
        JsonElement golden = Golden(name);
        sequence.Append([.. golden.GetProperty("tokens").EnumerateArray().Select(token => token.GetInt32())]);
        float[] expected = [.. golden.GetProperty("logits").EnumerateArray().Select(logit => logit.GetSingle())];
        float[] actual = engine.ComputeLogits(sequence)[^1];
        Assert.Equal(expected.Length, actual.Length);
        float tolerance = name.StartsWith("gemma", StringComparison.Ordinal) ? GeluTolerance : 1e-4f * expected.Max(MathF.Abs);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], tolerance);
        Assert.Equal(expected.IndexOf(expected.Max()), actual.IndexOf(actual.Max()));
    }

    /// <summary>For those who want to ask llama.cpp again (<c>Golden/README.md</c>).</summary>
    [Fact]
    public void Models_are_written_where_the_environment_says()
    {
        if (Environment.GetEnvironmentVariable("KVASIR_TINY_MODELS") is not { Length: > 0 } folder)
        {
            Assert.Skip("KVASIR_TINY_MODELS names no folder");
            return;
        }
        foreach ((string name, TinyModel model) in Models.Concat(TinyModel.Families))
            Assert.True(File.Exists(model.WriteTo(Path.Combine(folder, name + ".gguf"))));
    }

    static JsonElement Golden(string name) =>
        JsonDocument.Parse(File.ReadAllText(Path.Combine(Checkout.Root, "tests/Kvasir.Tests/Golden/architectures.json"))).RootElement
            .GetProperty(name);
}
