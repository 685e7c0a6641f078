using Kvasir.Formats.Gguf;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Model;

/// <summary>Models whose layers differ: some slide, some read the keys and values of another.</summary>
public class LayerVariantTests
{
    internal static Dictionary<string, TinyModel> Models { get; } = new()
    {
        ["all-alike"] = TinyModel.Llama,
        ["windows-in-part"] = TinyModel.Llama with { Layers = 4, Window = 10, FullEvery = 2 },
        ["shared-kv"] = TinyModel.Llama with { Layers = 5, Shared = 2 },
        ["two-rotations"] = TinyModel.Llama with { Layers = 4, Window = 10, FullEvery = 2, LocalRopeBase = 100 },
        ["narrow-values"] = TinyModel.Llama with { Layers = 3, HeadDim = 32, ValueDim = 12 },
        ["wide-values"] = TinyModel.Llama with { Layers = 4, ValueDim = 48, Shared = 2 },
        ["shared-windows"] = TinyModel.Llama with { Layers = 6, Shared = 3, Window = 10, KvHeads = 1 },
    };

    public static TheoryData<string> Names => [.. Models.Keys, .. TinyModel.Families.Keys];

    static int[] Prompt(int tokens) => [.. Enumerable.Range(0, tokens).Select(i => (i * 37 + 11) % 256)];

    [Theory, MemberData(nameof(Names))]
    public void Logits_are_those_of_the_textbook(string name)
    {
        using var folder = new TemporaryFolder();
        string path = (Models.GetValueOrDefault(name) ?? TinyModel.Families[name]).WriteTo(folder["tiny.gguf"]);
        using GgufFile file = GgufFile.Open(path);
        double[] expected = new PlainTransformer(file, ArchitectureTests.Context).Logits(Prompt(41));
        using var model = LanguageModel.Load(path);
        using var engine = new InferenceEngine(model, StoredAs.Floats with { PrefillChunk = 17, Context = ArchitectureTests.Context });
        using Sequence sequence = engine.NewSequence();
        sequence.Append(Prompt(41));
        float[] actual = engine.ComputeLogits(sequence)[^1];
        double scale = expected.Max(Math.Abs);
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-4 * scale));
    }

    [Fact]
    public void Layers_that_share_keep_one_copy()
    {
        using var folder = new TemporaryFolder();
        using var model = LanguageModel.Load(Models["shared-kv"].WriteTo(folder["tiny.gguf"]));
        using var engine = new InferenceEngine(model, StoredAs.Floats);
        // of five layers three have their own: K and V, two heads of 16 floats
        Assert.Equal(3 * 2 * 2 * 16 * 4, engine.Layout.BytesPerToken);
    }

}
