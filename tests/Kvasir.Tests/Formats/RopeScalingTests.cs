using Kvasir.Formats.Models;

namespace Kvasir.Tests.Formats;

/// <summary>How rotary frequencies are stretched.</summary>
public class RopeScalingTests
{
    static RopeScaling Llama3(float factor) => new("llama3", factor) { OriginalContext = 8192 };

    /// <summary>
    /// Llama 3.1 8B: heads of 128, base 500,000, stretched eightfold. Computed from the published formula with another program.
    /// </summary>
    [Theory]
    [InlineData(0, 1), InlineData(28, 1), InlineData(29, 1.207484), InlineData(30, 1.553415), InlineData(31, 2.026313)]
    [InlineData(32, 2.694530), InlineData(33, 3.684253), InlineData(34, 5.257327), InlineData(35, 8), InlineData(63, 8)]
    public void Long_waves_of_Llama_3_1_are_slowed_and_short_ones_not(int pair, double divisor) =>
        Assert.Equal(divisor, Llama3(8).Divisors(500_000, 128)[pair], 1e-6);

    /// <summary>Llama 3.2 1B: heads of 64, thirty-twofold.</summary>
    [Theory]
    [InlineData(14, 1), InlineData(15, 1.651329), InlineData(16, 3.292262), InlineData(17, 9.666729)]
    [InlineData(18, 32), InlineData(31, 32)]
    public void Those_of_Llama_3_2_too(int pair, double divisor) => Assert.Equal(divisor, Llama3(32).Divisors(500_000, 64)[pair], 1e-6);

    [Fact]
    public void Linear_stretching_divides_all_alike() =>
        Assert.All(new RopeScaling("linear", 4).Divisors(10_000, 64), divisor => Assert.Equal(4, divisor));

    static RopeScaling Yarn(float factor, int original) => new("yarn", factor) { OriginalContext = original };

    public static TheoryData<string, RopeScaling, float, int, int, double> Frequencies => new()
    {
        { "gpt-oss", Yarn(32, 4096) with { RoundsPairs = false }, 150_000, 64, 1, .689044306 },
        { "gpt-oss", Yarn(32, 4096) with { RoundsPairs = false }, 150_000, 64, 8, .0508132748 },
        { "gpt-oss", Yarn(32, 4096) with { RoundsPairs = false }, 150_000, 64, 16, .000456483919 },
        { "gpt-oss", Yarn(32, 4096) with { RoundsPairs = false }, 150_000, 64, 24, 4.09997848e-6 },
        { "gpt-oss", Yarn(32, 4096) with { RoundsPairs = false }, 150_000, 64, 31, 3.02351143e-7 },
        { "gpt-oss, rounded", Yarn(32, 4096), 150_000, 64, 16, .000580947502 },
        { "qwen3", Yarn(4, 32768), 1e6f, 128, 32, .000602941176 },
        { "qwen3", Yarn(4, 32768), 1e6f, 128, 48, 7.90569415e-6 },
        { "qwen3", Yarn(4, 32768), 1e6f, 128, 63, 3.1023444e-7 },
        { "olmo3", Yarn(8, 8192), 5e5f, 128, 32, .000395147907 },
        { "olmo3", Yarn(8, 8192), 5e5f, 128, 63, 3.06892599e-7 },
        { "deepseek-v2-lite", Yarn(40, 4096), 1e4f, 64, 16, .0055 },
        { "deepseek-v2-lite", Yarn(40, 4096), 1e4f, 64, 24, 2.5e-5 },
        { "deepseek-v2-lite", Yarn(40, 4096), 1e4f, 64, 31, 3.33380358e-6 },
        { "llama-3.1-8b", Llama3(8), 5e5f, 128, 29, .00216657076 },
        { "llama-3.1-8b", Llama3(8), 5e5f, 128, 34, .000178507813 },
        { "llama-3.2-1b", Llama3(32), 5e5f, 64, 17, 9.7082878e-5 },
        { "gemma3", new RopeScaling("linear", 8), 1e6f, 256, 1, .112210892 },
        { "gemma3", new RopeScaling("linear", 8), 1e6f, 256, 127, 1.39246732e-7 },
        { "gemma4", new RopeScaling("proportional", 1) { TurningShare = 0.25f }, 1e6f, 512, 1, .947463526 },
        { "gemma4", new RopeScaling("proportional", 1) { TurningShare = 0.25f }, 1e6f, 512, 63, .0333762469 },
        { "gemma4", new RopeScaling("proportional", 1) { TurningShare = 0.25f }, 1e6f, 512, 64, 0 },
        { "gemma4", new RopeScaling("proportional", 1) { TurningShare = 0.25f }, 1e6f, 512, 255, 0 },
    };

    /// <summary>Computed in doubles from the published formulas with another program, and printed to nine digits.</summary>
    [Theory, MemberData(nameof(Frequencies))]
    public void Frequencies_are_those_of_the_published_formulas(
        string model, RopeScaling scaling, float rope, int dims, int pair, double frequency)
    {
        double actual = Math.Pow(rope, -2.0 * pair / dims) / scaling.Divisors(rope, dims)[pair];
        Assert.True(Math.Abs(actual - frequency) <= 1.2e-7 * frequency, $"{model}: {actual}, expected {frequency}"); // a last place
    }

    [Fact]
    public void Rotated_elements_grow_as_the_formulas_say()
    {
        Assert.Equal(1.346573590, Yarn(32, 4096).Magnitude, 1e-7);
        Assert.Equal(1.138629436, Yarn(4, 32768).Magnitude, 1e-7);
        Assert.Equal(1.207944154, Yarn(8, 8192).Magnitude, 1e-7);
        Assert.Equal(1, (Yarn(40, 4096) with { LogWeights = (0.707f, 0.707f) }).Magnitude, 1e-7); // DeepSeek-V2: in the scale instead
        Assert.Equal(1.5, (Yarn(40, 4096) with { AttentionFactor = 1.5f }).Magnitude, 1e-7);
        Assert.Equal(1.190238071, new RopeScaling("longrope", 32) { OriginalContext = 4096 }.Magnitude, 1e-7);
        Assert.Equal(1.143543750, new RopeScaling("longrope", 16) { OriginalContext = 8192 }.Magnitude, 1e-7);
        Assert.Equal(1, Llama3(8).Magnitude);
    }

    [Theory, InlineData("yarn"), InlineData("llama3")]
    public void A_formula_that_is_not_known_is_not_guessed(string type)
    {
        var scaling = new RopeScaling(type, 8); // llama3's formula needs the original context
        Assert.False(scaling.HasFormula);
        string message = Assert.Throws<NotSupportedException>(() => scaling.Divisors(10_000, 64)).Message;
        Assert.Contains(type, message, StringComparison.Ordinal);
    }
}
