using Kvasir.Formats.Models;
using Kvasir.Planning.Sizing;
using static Kvasir.Tests.Sizing.SpeedOfLightModels;

namespace Kvasir.Tests.Sizing;

/// <summary>Published estimates, each within half a percent.</summary>
public class SpeedOfLightTests
{
    const double Within = 0.005, Tpu = 8.2e11, TpuOfPart8 = 8.1e11, TpuBf16 = 1.97e14;

    static readonly Hardware s_tpu = new()
    {
        Name = "tpu-v5e", Source = "scaling book, part 2", MemoryBytesPerS = Tpu, Bf16PerS = TpuBf16,
        Int8PerS = 3.94e14, MemoryBytes = 16e9,
    };

    static SpeedOfLight Limits(ModelSpec model, Hardware hardware, double weight = 2, double element = 2,
        Arithmetic arithmetic = Arithmetic.Bf16, ExpertRouting? experts = null) =>
        new(new ModelTraffic(model, weight, element, experts), hardware, arithmetic);

    static void Close(double expected, double actual) => Assert.InRange(actual, expected * (1 - Within), expected * (1 + Within));

    /// <summary>zeux, "LLM inference speed of light", https://zeux.io/2024/03/15/llm-inference-sol/: an RTX 4090 with 1008 GB/s.</summary>
    [Theory]
    [InlineData(2, 0, 14.108)]
    [InlineData(1, 0, 7.054)]
    [InlineData(2, 4096, 14.641)]
    public void Mistral_7B_on_a_4090(double bytesPerWeight, int position, double milliseconds) =>
        Close(milliseconds, 1e3 * Limits(Mistral7B, HardwareCatalogue.Find("RTX-4090")!, bytesPerWeight).Step(1, position).Seconds);

    /// <summary>The same, and the notebook of its author, github.com/zeux/calm tools/sol.ipynb: elements in the cache at 4096.</summary>
    [Fact]
    public void Parameters_and_caches_of_zeux()
    {
        Assert.Equal(7_110_393_856, Mistral7B.ActiveParameters);
        Assert.Equal(268_435_456, new ModelTraffic(Mistral7B, 1, 1).KvBytesKept(4096));
        Assert.Equal(1_073_741_824, new ModelTraffic(Llama2_7B, 1, 1).KvBytesKept(4096));
        Assert.Equal([6.7, 13.0], new[] { Llama2_7B, Llama2_13B }.Select(model => Math.Round(model.Parameters!.Value / 1e9, 1)));
    }

    /// <summary>What these tests lay out by hand is what is read from published configurations.</summary>
    [Fact]
    public void The_models_here_are_those_of_the_catalogue()
    {
        (string Name, ModelSpec Model)[] pairs = [("mistral-7b-v0.1", Mistral7B), ("llama-2-7b", Llama2_7B),
            ("llama-2-13b", Llama2_13B), ("llama-3-70b", Llama3_70B)];
        Assert.All(pairs, pair => Assert.Equal(pair.Model.ActiveParameters, ModelSpecs.Find(pair.Name).ActiveParameters));
        Assert.All(pairs[1..], pair => Assert.Equal(pair.Model.Kept(), ModelSpecs.Find(pair.Name).Kept()));
    }

    /// <summary>
    /// Austin et al., "How to Scale Your Model", part 7, LLaMA 2-13B on 8 TPU v5e, with the sizes as rounded there:
    /// https://jax-ml.github.io/scaling-book/inference/.
    /// </summary>
    [Theory]
    [InlineData(6.7e9, 1, 4.98, 200.61)]
    [InlineData(6.7e9, 8, 12.13, 659.30)]
    [InlineData(6.7e9, 16, 20.30, 787.99)]
    [InlineData(6.7e9, 32, 36.65, 873.21)]
    [InlineData(6.7e9, 64, 69.33, 923.13)]
    [InlineData(6.7e9, 240, 249.09, 963.53)]
    [InlineData(1.34e9, 1, 4.17, 239.94)]
    [InlineData(1.34e9, 8, 5.60, 1429.19)]
    [InlineData(1.34e9, 16, 7.23, 2212.48)]
    [InlineData(1.34e9, 32, 10.50, 3047.62)]
    [InlineData(1.34e9, 64, 17.04, 3756.62)]
    [InlineData(1.34e9, 240, 52.99, 4529.34)]
    public void Llama_2_13B_on_eight_TPUs(double kvBytes, int batch, double milliseconds, double tokensPerS)
    {
        double seconds = new PassCost(26e9, batch * kvBytes, 2 * 13e9 * batch, 0).At(8 * Tpu, 8 * TpuBf16).Seconds;
        Close(milliseconds, 1e3 * seconds);
        Close(tokensPerS, batch / seconds);
    }

    /// <summary>The same table from the model's dimensions. The book rounds 13.02e9 parameters down and leaves the embedding in.</summary>
    [Theory]
    [InlineData(40, 1, 4.98)]
    [InlineData(40, 64, 69.33)]
    [InlineData(8, 16, 7.23)]
    [InlineData(8, 64, 17.04)]
    public void Llama_2_13B_from_its_dimensions(int kvHeads, int batch, double milliseconds)
    {
        ModelSpec model = Llama2_13B.With((layer, _) => layer with { KvHeads = kvHeads }) with { ActiveParameters = Llama2_13B.Parameters };
        Close(milliseconds, 1e3 * Limits(model, s_tpu.Times(8)).Step(batch, 8192).Seconds);
    }

    /// <summary>
    /// Part 7, pop quiz: 30B in int8 on 16 TPUs, 100 kB for each of 8192 tokens. The book prints 2.5 ms for its own
    /// formula, which gives 2.568, and 21 ms.
    /// </summary>
    [Theory]
    [InlineData(4, 2.568)]
    [InlineData(256, 21.05)]
    public void The_pop_quiz(int batch, double milliseconds) =>
        Close(milliseconds, 1e3 * new PassCost(30e9, batch * 8192 * 100e3, 2 * 30e9 * batch, 0).At(16 * TpuOfPart8, 16 * TpuBf16).Seconds);

    /// <summary>Part 7, question 1: <c>L·D·(3F + 2H·(N + K)) + D·V</c> parameters, and 262 kB of int8 for a token.</summary>
    [Fact]
    public void The_exercise()
    {
        Assert.Equal(18_385_207_296, Exercise.Parameters);
        Assert.Equal(262_144, new ModelTraffic(Exercise, 1, 1).KvBytesKept(1));
        // question 3
        Close(18.4e9 / (16 * TpuOfPart8),
            Limits(Exercise, s_tpu.Times(16) with { MemoryBytesPerS = 16 * TpuOfPart8 }, 1, 1).Step(1, 0).Seconds);
    }

    /// <summary>
    /// Part 8: LLaMA 3-70B in int8, batch 32 at 8192 on 4×2, <c>112e9 / (8 · 8.1e11)</c>,
    /// https://jax-ml.github.io/scaling-book/applied-inference/.
    /// </summary>
    [Fact]
    public void Llama_3_70B_on_eight_TPUs()
    {
        Close(17.28, 1e3 * new PassCost(70e9, 32 * 8192 * 160e3, 2 * 70e9 * 32, 0).At(8 * TpuOfPart8, 8 * TpuBf16).Seconds);
        PassTime step = Limits(Llama3_70B, s_tpu.Times(8) with { MemoryBytesPerS = 8 * TpuOfPart8 }, 1, 1).Step(32, 8192);
        Close(17.3, 1e3 * step.Seconds);
        Assert.False(step.BoundByArithmetic);
    }

    /// <summary>Part 8: 8192 tokens on 16 TPUs with 40 % of their arithmetic, 0.91 s.</summary>
    [Fact]
    public void Prefill_of_Llama_3_70B() =>
        Close(0.91, new PassCost(70e9, 0, 2 * 70e9 * 8192, 0).At(16 * TpuOfPart8, 0.4 * 16 * TpuBf16).Seconds);

    /// <summary>
    /// Parts 7 and 8: 240 in bf16, 120 for int8 weights, 240 where the arithmetic is int8 too. Any model, any number of devices.
    /// </summary>
    [Theory]
    [InlineData(2, Arithmetic.Bf16, 240)]
    [InlineData(1, Arithmetic.Bf16, 120)]
    [InlineData(1, Arithmetic.Int8, 240)]
    public void The_critical_batch_of_a_TPU(double bytesPerWeight, Arithmetic arithmetic, double batch)
    {
        Close(batch, Limits(Llama2_13B, s_tpu, bytesPerWeight, arithmetic: arithmetic).CriticalBatch);
        Close(batch, Limits(Llama3_70B, s_tpu.Times(16), bytesPerWeight, arithmetic: arithmetic).CriticalBatch);
    }

    /// <summary>
    /// zeux's example of a long context: three quarters of Command-R's time at 100K go to 65.5 GB of KV beside 19.7 GB of weights.
    /// </summary>
    [Fact]
    public void Attention_share_at_a_long_context() =>
        Assert.InRange(new PassCost(19.7e9, 65.5e9, 0, 0).At(1e12, 1e15).AttentionShare, 0.75, 0.78);
}
