using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.Formats.Quantization;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Synthesis;
using Kvasir.Planning.Sizing;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Synthesis;

public class SyntheticModelTests
{
    static readonly ModelSpec s_small = Small(ModelSpecs.WellKnown("qwen3-0.6b")!);

    static ModelSpec Small(ModelSpec spec) => spec with
    {
        Width = 256,
        Vocabulary = 400,
        EmbeddingScale = spec.EmbeddingScale is null ? null : 16,
        Layers = [.. spec.Layers.Take(7).Select(layer => layer with { FeedForward = Small(layer.FeedForward!) })],
    };

    static FeedForwardSpec Small(FeedForwardSpec network) => network.Experts == 0
        ? network with { Width = 512 } : network with { Width = 64, Experts = 6, Chosen = 2 };

    public static TheoryData<string, int> Mixes => new(SyntheticModel.Mixes.SelectMany(mix => new[] { (mix, 256), (mix, 96) }));

    [Theory, MemberData(nameof(Mixes))]
    public void Every_mix_loads_and_computes_logits_of_a_sane_size(string mix, int width)
    {
        using var folder = new TemporaryFolder();
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        new SyntheticModel(s_small with { Width = width }, WeightMix.All[mix]).Write(folder["synth.gguf"], cancellation: cancellation);
        using var model = LanguageModel.Load(folder["synth.gguf"]);
        using var engine = new InferenceEngine(model, new EngineOptions { Context = 64 });
        using Sequence sequence = engine.NewSequence();
        sequence.Append(model.Tokenizer.Encode("Once upon a time"));
        float[] logits = engine.ComputeLogits(sequence)[^1];
        Assert.All(logits, logit => Assert.InRange(logit, -30, 30));
        Assert.InRange(logits.Max() - logits.Min(), 1, 60);
    }

    /// <summary>What the file says of the model is what it was made of; a formula's stretching has become divisors.</summary>
    [Theory]
    [InlineData("qwen3-0.6b"), InlineData("smollm2-135m"), InlineData("llama-3.2-1b"), InlineData("llama-3-8b")]
    [InlineData("gemma-3-1b"), InlineData("gemma-3-4b"), InlineData("gemma-2-9b"), InlineData("phi-3-mini-4k")]
    [InlineData("qwen3-30b-a3b"), InlineData("gpt-oss-20b"), InlineData("mixtral-8x7b")]
    public void The_file_is_described_as_it_was_asked_for(string name)
    {
        using var folder = new TemporaryFolder();
        ModelSpec spec = Small(ModelSpecs.WellKnown(name)!);
        new SyntheticModel(spec, WeightMix.All["q8_0"]).Write(folder["synth.gguf"], cancellation: TestContext.Current.CancellationToken);
        ModelSpec written = ModelSpecs.Find(folder["synth.gguf"]);
        RopeStyle style = written.Architecture == "llama" ? RopeStyle.Adjacent : RopeStyle.Halves;
        Assert.Equal(
            spec.Layers.Select(layer => layer with { Attention = layer.Attention! with { Rope = Written(layer.Attention.Rope!) } }),
            written.Layers);
        Assert.Equal((spec.EmbeddingScale, spec.LogitSoftcap), (written.EmbeddingScale, written.LogitSoftcap));
        Assert.Equal((spec.Context, spec.Width, spec.Vocabulary), (written.Context, written.Width, written.Vocabulary));
        Assert.Equal(spec.IsTied, written.IsTied);

        RopeSpec Written(RopeSpec rope) => rope.Scaling?.Type == "llama3"
            ? rope with { Scaling = null, HasDivisors = true, Style = style } : rope with { Style = style };
    }

    [Fact]
    public void What_cannot_be_computed_or_written_is_refused_by_name()
    {
        string computed = Assert.Throws<ModelFormatException>(() => Synthetic(ModelSpecs.WellKnown("deepseek-v3")!)).Message;
        Assert.Contains("attention.kv_lora_rank: 512", computed, StringComparison.Ordinal);
        LayerSpec reader = s_small.Layers[1] with { Attention = s_small.Layers[1].Attention! with { Producer = 0 } };
        string written = Assert.Throws<ArgumentException>(() => Synthetic(s_small with { Layers = [s_small.Layers[0], reader] })).Message;
        Assert.Contains("qwen3-0.6b: expected layers that each own a cache", written, StringComparison.Ordinal);

        static SyntheticModel Synthetic(ModelSpec spec) => new(spec, WeightMix.All["q8_0"]);
    }

    [Fact]
    public void Equal_seeds_give_equal_files_and_others_do_not()
    {
        using var folder = new TemporaryFolder();
        foreach ((string name, ulong seed) in (ReadOnlySpan<(string, ulong)>)[("a", 1), ("b", 1), ("c", 2)])
            new SyntheticModel(s_small, WeightMix.All["q8_0"], seed)
                .Write(folder[name], cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(File.ReadAllBytes(folder["a"]), File.ReadAllBytes(folder["b"]));
        Assert.NotEqual(File.ReadAllBytes(folder["a"]), File.ReadAllBytes(folder["c"]));
    }
}
