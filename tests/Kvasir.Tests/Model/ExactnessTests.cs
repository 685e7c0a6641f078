using System.Runtime.InteropServices;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Model;

/// <summary>
/// Cached equals recomputed, bit for bit: a token's logits do not depend on the chunk that its prefix was computed in, on the number of
/// threads, on the KV cache being on or off, on the block size, on strangers in the pool, or on the instruction set.
/// </summary>
public class ExactnessTests
{
    const int Tokens = 75; // several blocks, a partial one, and no multiple of any tile

    public static TheoryData<string> Models =>
    [
        "saga", "stories260K", "llama-untied", "qwen2-biases", "qwen3-qk-norm", "odd-widths", "multi-query",
        "gemma2", "gemma3", "phi3-long", "smollm3", "olmo3", "granite", "glm4", "mistral3",
        "qwen3moe", "gpt-oss", "gpt-oss-mxfp4", "qwen3moe-q8_0",
        "windows-in-part", "shared-kv", "shared-windows", "two-rotations", "narrow-values", "wide-values",
        .. SagaVariantTests.Names.Select(row => row.Data),
    ];

    [Theory, MemberData(nameof(Models))]
    public void Logits_are_bitwise_equal_for_any_chunk_thread_count_block_size_and_instruction_set(string name)
    {
        using var folder = new TemporaryFolder();
        using LanguageModel model = Load(name, folder);
        float[][] expected = Logits(model, StoredAs.Floats with { Threads = 1, PrefillChunk = Tokens });
        Assert.Equal(Tokens, expected.Length);
        Assert.True(expected[^1].Distinct().Count() > 10, "the logits say nothing");
        foreach (EngineOptions options in Variants())
            AssertSameBits(expected, Logits(model, options),
                $"{options.InstructionSet}, {options.Threads} threads, chunks of {options.PrefillChunk}, blocks of {options.BlockTokens}");
    }

    [Theory, MemberData(nameof(Models))]
    public void With_half_precision_keys_and_values_too(string name)
    {
        using var folder = new TemporaryFolder();
        using LanguageModel model = Load(name, folder);
        float[][] expected = Logits(model, new EngineOptions { Threads = 1, PrefillChunk = Tokens });
        foreach (InstructionSet set in InstructionSets.Available)
            AssertSameBits(expected, Logits(model, new EngineOptions { PrefillChunk = 7, Threads = 2, InstructionSet = set }), $"{set}");
    }

    /// <summary>
    /// Blocks travel between machines: what one has computed must be what another would. Rotations come from the C library, whose sines
    /// may differ elsewhere than on Linux.
    /// </summary>
    [Theory, MemberData(nameof(Models))]
    public void And_are_those_of_every_machine(string name)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the digests are of Linux");
        using var folder = new TemporaryFolder();
        using LanguageModel model = Load(name, folder);
        GoldenBits.Check(name, Logits(model, new EngineOptions { Threads = 2 }));
    }

    [Theory]
    [InlineData("saga")]
    [InlineData("stories260K")]
    public void Generation_without_kv_cache_gives_the_same_tokens(string name)
    {
        using var folder = new TemporaryFolder();
        using LanguageModel model = Load(name, folder);
        int[] cached = Generate(model, KvReuse.On), recomputed = Generate(model, KvReuse.Off);
        Assert.True(cached.Length > 10);
        Assert.Equal(cached, recomputed);
    }

    [Fact]
    public void Neighbours_in_the_pool_change_nothing()
    {
        using LanguageModel model = LanguageModel.Load(SagaModel.Path);
        using var engine = new InferenceEngine(model, new EngineOptions { Context = 256, Sequences = 3 });
        using Sequence alone = engine.NewSequence(), other = engine.NewSequence(), shuffled = engine.NewSequence();
        alone.Append(Prompt(model));
        float[][] expected = engine.ComputeLogits(alone);
        List<float[]> actual = [];
        for (int i = 0; i < Tokens; i += 5) // blocks of two sequences are taken in turns
        {
            other.Append([1, 2, 3, 4, 5, 6, 7]);
            engine.ComputeLogits(other);
            shuffled.Append(Prompt(model).AsSpan(i, 5));
            actual.AddRange(engine.ComputeLogits(shuffled));
        }
        AssertSameBits(expected, [.. actual], "interleaved with another sequence");
    }

    static IEnumerable<EngineOptions> Variants()
    {
        var options = StoredAs.Floats;
        foreach (InstructionSet set in InstructionSets.Available)
            foreach (int threads in (int[])[1, 2, 4])
                foreach (int chunk in set == InstructionSet.Scalar ? (int[])[16] : [1, 3, 16, 50])
                    yield return options with { InstructionSet = set, Threads = threads, PrefillChunk = chunk };
        yield return options with { BlockTokens = 32 };
        yield return options with { BlockTokens = 256, PrefillChunk = 5 };
    }

    static LanguageModel Load(string name, TemporaryFolder folder) => LanguageModel.Load(name switch
    {
        "saga" => SagaModel.Path,
        "saga-window" or "saga-shared" or "saga-mqa" => SagaVariantTests.PathOf(name),
        "stories260K" => Checkout.Shared("models/stories260K/stories260K.gguf"),
        "gpt-oss-mxfp4" => (TinyModel.GptOss with { ExpertType = TensorType.MXFP4 }).WriteTo(folder["tiny.gguf"]),
        "qwen3moe-q8_0" => (TinyModel.Qwen3Moe with { ExpertType = TensorType.Q8_0 }).WriteTo(folder["tiny.gguf"]),
        _ when LayerVariantTests.Models.TryGetValue(name, out TinyModel? variant) || TinyModel.Families.TryGetValue(name, out variant) =>
            variant.WriteTo(folder["tiny.gguf"]),
        _ => ArchitectureTests.Models[name].WriteTo(folder["tiny.gguf"]),
    });

    static int[] Prompt(LanguageModel model) =>
        [.. Enumerable.Range(0, Tokens).Select(i => (i * 37 + 11) % Math.Min(256, model.Config.Vocabulary))];

    static float[][] Logits(LanguageModel model, EngineOptions options)
    {
        using var engine = new InferenceEngine(model, options);
        using Sequence sequence = engine.NewSequence();
        sequence.Append(Prompt(model));
        return engine.ComputeLogits(sequence);
    }

    static int[] Generate(LanguageModel model, KvReuse reuse)
    {
        using var engine = new InferenceEngine(model, StoredAs.Floats with { KvReuse = reuse });
        using Sequence sequence = engine.NewSequence();
        int[] prompt = [.. model.Tokenizer.Opening, .. model.Tokenizer.Encode("Once upon a time")];
        sequence.Append(prompt);
        engine.Generate(sequence, new GenerationOptions { MaxTokens = 24 }, _ => { }, TestContext.Current.CancellationToken);
        return sequence.Tokens[prompt.Length..].ToArray();
    }

    static void AssertSameBits(float[][] expected, float[][] actual, string how)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(MemoryMarshal.AsBytes<float>(expected[i]).SequenceEqual(MemoryMarshal.AsBytes<float>(actual[i])),
                $"token {i} differs with {how}");
    }
}
