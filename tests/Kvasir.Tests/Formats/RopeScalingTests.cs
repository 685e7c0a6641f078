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

    [Theory, InlineData("yarn"), InlineData("llama3")]
    public void A_formula_that_is_not_known_is_not_guessed(string type)
    {
        var scaling = new RopeScaling(type, 8); // llama3's formula needs the original context
        Assert.False(scaling.HasFormula);
        string message = Assert.Throws<NotSupportedException>(() => scaling.Divisors(10_000, 64)).Message;
        Assert.Contains(type, message, StringComparison.Ordinal);
    }
}
