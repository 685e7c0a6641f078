using Kvasir.Formats.Models;
using Kvasir.Planning.Sizing;

namespace Kvasir.Tests.Sizing;

/// <summary>Mixtures of the catalogue against what their publishers say, and what batches read of them.</summary>
public class ExpertSpecTests
{
    /// <summary>
    /// Layers, experts, chosen ones, width and hidden width as the papers have them: Mixtral (Jiang et al., 2024,
    /// https://arxiv.org/abs/2401.04088, table 1), Qwen3 (Yang et al., 2025, https://arxiv.org/abs/2505.09388, table 2; widths from its
    /// config.json), DeepSeek-V3 (2024, https://arxiv.org/abs/2412.19437, 4.2: 61 layers, the first three without experts, one shared
    /// expert that is always read), gpt-oss (OpenAI, 2025, https://arxiv.org/abs/2508.10925, section 2).
    /// </summary>
    [Theory]
    [InlineData("mixtral-8x7b", 32, 8, 2, 4096, 14336)]
    [InlineData("qwen3-30b-a3b", 48, 128, 8, 2048, 768)]
    [InlineData("deepseek-v3", 61 - 3, 256, 8, 7168, 2048)]
    [InlineData("gpt-oss-20b", 24, 32, 4, 2880, 2880)]
    [InlineData("gpt-oss-120b", 36, 128, 4, 2880, 2880)]
    public void Experts_are_those_of_the_papers(string name, long layers, int all, int chosen, long width, long hidden)
    {
        ModelSpec spec = ModelSpecs.Find(name);
        Assert.Equal(new ExpertSpec(new ExpertRouting(chosen, all), layers * all * 3 * width * hidden), spec.Experts);
        ModelTraffic traffic = new(spec, 1, 1);
        // attention, routers, shared experts, dense layers, output
        double always = spec.ActiveParameters!.Value - (double)spec.Experts!.Parameters * chosen / all;
        Assert.Equal(spec.ActiveParameters.Value, traffic.WeightBytes(1), 1.0);
        Assert.Equal(always + spec.Experts.Parameters * (1 - Math.Pow(1 - (double)chosen / all, 64)),
            traffic.WeightBytes(64), 1e-9 * spec.Parameters!.Value);
        Assert.InRange(traffic.WeightBytes(1e9), 0.9995 * EmbeddingLess(spec), EmbeddingLess(spec)); // norms and biases are in no product
    }

    static double EmbeddingLess(ModelSpec spec) => (double)spec.Parameters!.Value - (double)spec.Width * spec.Vocabulary;

    /// <summary>gpt-oss's model card, table 1: billions of parameters in networks, with routers and biases.</summary>
    [Theory, InlineData("gpt-oss-120b", 114.71), InlineData("gpt-oss-20b", 19.12)]
    public void Networks_of_gpt_oss_are_experts(string name, double billions) =>
        Assert.Equal(billions, ModelSpecs.Find(name).Experts!.Parameters / 1e9, 0.001 * billions);

    /// <summary>DeepSeek-V3's first three layers have no experts, and in every other a shared one is read by each token.</summary>
    [Fact]
    public void What_every_token_reads_is_no_expert()
    {
        ModelSpec spec = ModelSpecs.Find("deepseek-v3");
        long attention = 7168L * 1536 + 1536L * 128 * 192 + 7168L * 576 + 512L * 128 * 256 + 128L * 128 * 7168, one = 3L * 7168 * 2048;
        Assert.Equal(61 * attention + 3 * 3L * 7168 * 18432 + 58 * (one + 256 * 7168) + 129280L * 7168,
            spec.ActiveParameters - 58 * 8 * one);
    }

    [Fact]
    public void Models_without_experts_have_none() =>
        Assert.All(["llama-3-8b", "gemma-3-1b", "falcon-7b"], name => Assert.Null(ModelSpecs.Find(name).Experts));
}
