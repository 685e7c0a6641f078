using CsCheck;
using Kvasir.Formats.Models;
using Kvasir.Inference.Model;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.Planning.Sizing;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Sizing;

/// <summary>Sizes against published figures, against a second way to count, and against the engine's own layout.</summary>
public class KvSizeTests
{
    static long PerToken(string model, string type = "bf16") => new KvSize(ModelSpecs.Find(model), Specs.Kv(type)).PerToken;

    static long Bytes(string model, long tokens, string type = "bf16") => Bytes(ModelSpecs.Find(model), tokens, type);

    static long Bytes(ModelSpec spec, long tokens, string type = "bf16") =>
        new KvSize(spec, Specs.Kv(type)).Bytes(tokens);

    /// <summary>
    /// Layers × KV heads × 2 · head dim × 2 bytes of the published configurations; named sources where somebody else has the figure, too.
    /// </summary>
    [Theory]
    [InlineData("llama-2-7b", 524_288)]
    [InlineData("llama-2-13b", 819_200)]
    [InlineData("llama-2-70b", 327_680)] // 327.680 KB: DeepSeek-AI, arXiv 2505.09343, table 1, of 80 layers with 8 heads of 128
    [InlineData("llama-3-70b", 327_680)]
    [InlineData("qwen2.5-72b", 327_680)] // 327.680 KB: arXiv 2505.09343, table 1
    [InlineData("llama-3-8b", 131_072)]
    [InlineData("mistral-7b-v0.3", 131_072)] // zeux, "LLM inference speed of light": 130 KB
    [InlineData("llama-3.1-405b", 516_096)] // 516.096 KB: arXiv 2505.09343, table 1
    [InlineData("llama-3.2-1b", 32_768)]
    [InlineData("deepseek-v3", 70_272)] // 70.272 KB: arXiv 2505.09343, table 1; 61 × (512 + 64) × 2, no factor of 2 for K and V
    [InlineData("qwen3-0.6b", 114_688)] // head_dim 128, though 1024 / 16 is 64
    [InlineData("qwen3-8b", 147_456)]
    [InlineData("qwen3-32b", 262_144)]
    [InlineData("qwen3-30b-a3b", 98_304)]
    [InlineData("qwen3-235b-a22b", 192_512)]
    [InlineData("smollm2-135m", 23_040)]
    [InlineData("command-r", 1_310_720)] // zeux: 655K elements
    [InlineData("falcon-7b", 8_192)] // MQA: 32 layers with one head of 64
    public void Bytes_per_token_are_as_published(string model, long bytes) => Assert.Equal(bytes, PerToken(model));

    [Theory]
    [InlineData("llama-2-7b", 4L << 30)]
    [InlineData("llama-2-13b", 6_710_886_400)] // 6.7 GB: "How to Scale Your Model", DeepMind, 2025, chapter on inference
    [InlineData("llama-3-70b", 5L << 29)]
    [InlineData("llama-3-8b", 1L << 30)]
    [InlineData("llama-3.1-405b", 63L << 26)]
    [InlineData("llama-3.2-1b", 1L << 28)]
    [InlineData("deepseek-v3", 549L << 20)]
    [InlineData("smollm2-135m", 180L << 20)]
    [InlineData("command-r", 10L << 30)]
    public void So_are_8192_tokens(string model, long bytes) => Assert.Equal(bytes, Bytes(model, 8192));

    /// <summary>34/32 and 18/32 bytes an element (ggml's block_q8_0 and block_q4_0), not 8 and 4 bits.</summary>
    [Theory, InlineData("fp8", 65_536), InlineData("q8_0", 69_632), InlineData("q4_0", 36_864), InlineData("f32", 262_144)]
    public void Scales_of_groups_count(string type, long bytes) => Assert.Equal(bytes, PerToken("llama-3-8b", type));

    /// <summary>
    /// What "layers × heads × head dim × type, of a key or value vector" gives when taken literally for Llama 3 8B: with query heads twice
    /// too much, with KV heads half of it. The error goes in either direction.
    /// </summary>
    [Fact]
    public void The_naive_formula_is_wrong_in_either_direction()
    {
        AttentionSpec layer = ModelSpecs.Find("llama-3-8b").Attention.First();
        Assert.Equal((262_144, 65_536), (32 * layer.Heads * layer.KeyDim * 2, 32 * layer.KvHeads * layer.KeyDim * 2));
        Assert.Equal(131_072, PerToken("llama-3-8b"));
    }

    /// <summary>
    /// Layers, windows and patterns of the published configurations; bytes by hand: full layers × T + sliding layers × min(T, W).
    /// </summary>
    [Theory]
    [InlineData("mistral-7b-v0.1", 4096, 536_870_912)]
    [InlineData("mistral-7b-v0.1", 32_768, 536_870_912)]
    [InlineData("gemma-3-27b", 32_768, 3_120_562_176)]
    [InlineData("gemma-3-27b", 131_072, 11_173_625_856)]
    [InlineData("gemma-3-12b", 32_768, 2_483_027_968)]
    [InlineData("gemma-3-4b", 32_768, 792_723_456)]
    [InlineData("gemma-3-1b", 32_768, 145_752_064)]
    [InlineData("gpt-oss-120b", 32_768, 1_212_678_144)]
    [InlineData("gpt-oss-120b", 131_072, 4_836_556_800)]
    [InlineData("gpt-oss-20b", 32_768, 808_452_096)]
    [InlineData("gemma-3n-e4b", 32_768, 285_212_672)]
    public void Windows_end_what_a_layer_keeps(string model, long tokens, long bytes) => Assert.Equal(bytes, Bytes(model, tokens));

    [Fact]
    public void Without_windows_and_sharing_they_would_be_larger()
    {
        Assert.Equal(16_642_998_272, Bytes(Global(ModelSpecs.Find("gemma-3-27b")), 32_768));
        ModelSpec shared = ModelSpecs.Find("gemma-3n-e4b"), unshared = shared.With((layer, i) => layer with { Producer = i });
        Assert.Equal(499_122_176, Bytes(unshared, 32_768));

        static ModelSpec Global(ModelSpec spec) => spec.With((layer, _) => layer with { Window = null });
    }

    /// <summary>
    /// FastGen, Ge et al., 2023, arXiv 2310.01801, table 1, column "full": 16 × 512 tokens in fp16 of Llama 1 (7,
    /// 13, 30 and 65B), in 10^9 bytes.
    /// </summary>
    [Theory, InlineData(32, 32, 4.3), InlineData(40, 40, 6.7), InlineData(60, 52, 13.1), InlineData(80, 64, 21.5)]
    public void Full_caches_are_those_of_FastGen(int layers, int heads, double gigabytes) =>
        Assert.Equal(gigabytes, 16 * Bytes(Specs.Dense(layers, heads, heads, 128), 512, "f16") / 1e9, 0.05);

    /// <summary>
    /// "How to Scale Your Model", DeepMind, 2025, chapter on inference: an exercise with 64 layers and 8 heads of 256 in int8.
    /// </summary>
    [Fact]
    public void An_exercise_of_the_scaling_book() =>
        Assert.Equal(262_144, new KvSize(Specs.Dense(64, 32, 8, 256), Specs.Kv("fp8")).PerToken);

    [Fact]
    public void Counting_token_by_token_gives_the_same() =>
        Gen.Select(Specs.Any, Gen.Int[0, 60], Specs.OneOf([.. ElementType.OfKv])).Sample((spec, tokens, type) =>
        {
            var cache = new TokenByTokenCache(spec);
            for (int token = 0; token < tokens; token++)
                cache.Append(token);
            var size = new KvSize(spec, type);
            Assert.Equal(cache.Bits(type.Name), 8 * size.Bytes(tokens));
            Assert.Equal(cache.ReadBits(type.Name), 8 * size.ReadBytes(tokens));
        }, iter: 300);

    /// <summary>The pool's layout is the engine's: what is said of its blocks must be what it does.</summary>
    [Fact]
    public void Blocks_are_those_of_the_pool() =>
        Gen.Select(Specs.Any, Specs.OneOf([.. KvCodecs.Names]), Specs.OneOf([.. KvCodecs.Names])).Sample((spec, keys, values) =>
        {
            var layout = new KvLayout(KvSize.BlockTokens, StoredAs.Codec(keys), StoredAs.Codec(values), KvLayers.Of(spec));
            var size = new KvSize(spec, new KvTypes(Specs.Kv(keys), Specs.Kv(values)));
            Assert.Equal(layout.CodecName, size.Types.Name);
            Assert.Equal((layout.StrideBytes, layout.BytesPerToken), (size.WholeBlockBytes, size.PerToken));
            Assert.Equal(layout.BlocksFor(1000) * layout.StrideBytes, size.WholeBytes(1000));
            KvLayout full = layout.LongestWindow < spec.Context ? layout.WithWindowsApart() : layout;
            long windows = full.Windowed is not { } windowed ? 0
                : Math.Min(full.BlocksFor(1000), full.BlocksFor(layout.LongestWindow) + 1) * windowed.StrideBytes;
            Assert.Equal((full.StrideBytes, full.Windowed?.StrideBytes ?? 0), (size.BlockBytes, size.WindowBlockBytes));
            Assert.Equal(full.BlocksFor(1000) * full.StrideBytes + windows, size.AllocatedBytes(1000));
        }, iter: 200);

    /// <summary>
    /// llama.cpp pads cells to 256 and gives sliding layers their window and one batch of 512: of Gemma 3 27B 10
    /// layers of 32,768 cells, 52 of 1,536.
    /// </summary>
    [Fact]
    public void Cells_of_llama_cpp_are_padded()
    {
        var size = new KvSize(ModelSpecs.Find("gemma-3-27b"), Specs.Kv("f16"));
        Assert.Equal((10 * 32_768L + 52 * 1_536) * 8192, size.LlamaCppBytes(32_768));
        Assert.Equal(62 * 256L * 8192, size.LlamaCppBytes(1));
    }

    [Theory]
    [InlineData("llama-3-8b", 8, 16_384)] // a head each
    [InlineData("llama-3-8b", 2, 65_536)]
    [InlineData("llama-3-8b", 32, 16_384)] // each head on four
    [InlineData("deepseek-v3", 8, 70_272)] // a latent is on all
    [InlineData("falcon-7b", 71, 8_192)]
    public void Tensor_parallelism_splits_heads_and_repeats_what_cannot_be_split(string model, int devices, long bytes) =>
        Assert.Equal(bytes, new KvSize(ModelSpecs.Find(model), Specs.Kv("bf16"), devices).PerToken);

    [Theory, InlineData("llama-3-8b", 3, "the 32 query heads"), InlineData("phi-4", 4, "the 10 KV heads")]
    public void Heads_that_do_not_divide_are_refused(string model, int devices, string message) =>
        Assert.Contains(message, Assert.Throws<ArgumentException>(
            () => new KvSize(ModelSpecs.Find(model), Specs.Kv("bf16"), devices)).Message, StringComparison.Ordinal);

    [Fact]
    public void Rows_of_broken_groups_and_sizes_beyond_all_measure_are_refused()
    {
        ModelSpec odd = Specs.Dense(1, 1, 1, 80), vast = Specs.Dense(4096, 1 << 16, 1 << 16, 1 << 20);
        Assert.False(new KvTypes(Specs.Kv("q8_0")).Holds(odd));
        Assert.Contains("a row of 80", Assert.Throws<ArgumentException>(() => new KvSize(odd, Specs.Kv("q8_0"))).Message,
            StringComparison.Ordinal);
        Assert.Contains("8 EiB", Assert.Throws<ArgumentException>(() => Bytes(vast, 1 << 20)).Message, StringComparison.Ordinal);
    }
}
