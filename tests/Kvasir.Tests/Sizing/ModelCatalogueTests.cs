using Kvasir.Formats.Models;
using Kvasir.Planning.Sizing;

namespace Kvasir.Tests.Sizing;

/// <summary>The catalogue of well-known models against what their publishers and readers say of them.</summary>
public class ModelCatalogueTests
{
    /// <summary>
    /// Totals as the models' pages on Hugging Face give them for their safetensors (language part, output matrix once where it is tied).
    /// </summary>
    [Theory]
    [InlineData("llama-2-7b", 6_738_415_616)]
    [InlineData("llama-2-13b", 13_015_864_320)]
    [InlineData("llama-2-70b", 68_976_648_192)]
    [InlineData("llama-3-8b", 8_030_261_248)]
    [InlineData("llama-3-70b", 70_553_706_496)]
    [InlineData("llama-3.1-405b", 405_853_388_800)]
    [InlineData("llama-3.2-1b", 1_235_814_400)]
    [InlineData("llama-3.2-3b", 3_212_749_824)]
    [InlineData("smollm2-135m", 134_515_008)]
    [InlineData("smollm2-360m", 361_821_120)]
    [InlineData("smollm2-1.7b", 1_711_376_384)]
    [InlineData("mistral-7b-v0.1", 7_241_732_096)]
    [InlineData("mistral-7b-v0.3", 7_248_023_552)]
    [InlineData("mixtral-8x7b", 46_702_792_704)]
    [InlineData("qwen2.5-7b", 7_615_616_512)]
    [InlineData("qwen2.5-72b", 72_706_203_648)]
    [InlineData("qwen3-0.6b", 596_049_920)]
    [InlineData("qwen3-8b", 8_190_735_360)]
    [InlineData("qwen3-32b", 32_762_123_264)]
    [InlineData("qwen3-30b-a3b", 30_532_122_624)]
    [InlineData("qwen3-235b-a22b", 235_093_634_560)]
    [InlineData("gemma-2-9b", 9_241_705_984)]
    [InlineData("gemma-2-27b", 27_227_128_320)]
    [InlineData("gemma-3-1b", 999_885_952)]
    [InlineData("command-r", 34_980_831_232)]
    [InlineData("phi-3-mini-4k", 3_821_079_552)]
    [InlineData("phi-4", 14_659_507_200)]
    [InlineData("falcon-7b", 6_921_720_704)]
    [InlineData("gpt-oss-20b", 20_914_757_184)]
    [InlineData("gpt-oss-120b", 116_829_156_672)]
    public void Parameters_are_those_of_the_published_weights(string name, long parameters) =>
        Assert.Equal(parameters, ModelSpecs.Find(name).Parameters);

    /// <summary>Of mixtures, in billions as the model's name, card or paper says them.</summary>
    [Theory]
    [InlineData("deepseek-v3", 671, 37)]
    [InlineData("mixtral-8x7b", 46.7, 12.9)]
    [InlineData("qwen3-30b-a3b", 30.5, 3.3)]
    [InlineData("qwen3-235b-a22b", 235, 22)]
    [InlineData("gpt-oss-20b", 20.9, 3.6)]
    [InlineData("gpt-oss-120b", 116.8, 5.1)]
    public void Of_a_mixture_the_chosen_experts_are_active(string name, double all, double active)
    {
        ModelSpec spec = ModelSpecs.Find(name);
        Assert.Equal(all, spec.Parameters!.Value / 1e9, 0.01 * all);
        // some cards count the embedding
        double least = spec.ActiveParameters!.Value / 1e9, most = least + (double)spec.Vocabulary * spec.Width / 1e9;
        Assert.InRange(active, 0.98 * least, 1.02 * most);
    }

    /// <summary>zeux, "LLM inference speed of light", 2024: 131M + 1342M + 5637M.</summary>
    [Fact]
    public void Mistrals_active_parameters_are_those_of_its_matrices() =>
        Assert.Equal(7_110_393_856, ModelSpecs.Find("mistral-7b-v0.1").ActiveParameters);

    [Fact]
    public void Every_entry_can_be_read_and_names_its_source()
    {
        Assert.True(ModelSpecs.Names.Count() >= 35);
        Assert.All(ModelSpecs.Names.Select(name => ModelSpecs.Find(name)), spec =>
        {
            Assert.EndsWith("on Hugging Face", spec.Source, StringComparison.Ordinal);
            Assert.All(spec.Attention, layer => Assert.Equal(0, layer.Heads % layer.KvHeads));
        });
    }

    [Theory, InlineData("LLAMA-3-8B"), InlineData("meta-llama/Meta-Llama-3-8B")]
    public void Names_are_found_in_any_case_and_by_repository(string name) => Assert.Equal("llama-3-8b", ModelSpecs.Find(name).Name);

    [Fact]
    public void An_unknown_name_lists_those_like_it()
    {
        string message = Assert.Throws<ArgumentException>(() => ModelSpecs.Find("lama3-8b")).Message;
        Assert.Contains("llama-3-8b", message, StringComparison.Ordinal);
        Assert.DoesNotContain("deepseek", message, StringComparison.Ordinal);
    }
}
