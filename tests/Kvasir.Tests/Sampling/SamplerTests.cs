using Kvasir.Inference.Sampling;

namespace Kvasir.Tests.Sampling;

public class SamplerTests
{
    static readonly float[] s_logits = [1f, 3f, 2f, 0f, 2.5f];

    static int[] Draws(SamplingOptions options, int count, params int[] history)
    {
        var sampler = new Sampler(options);
        return [.. Enumerable.Range(0, count).Select(_ => sampler.Next([.. s_logits], history))];
    }

    static readonly SamplingOptions s_open = new() { Temperature = 1, TopK = 0, TopP = 1, MinP = 0, Seed = 1 };

    [Fact]
    public void Temperature_zero_takes_the_most_likely_and_of_equals_the_first()
    {
        Assert.All(Draws(SamplingOptions.Greedy, 5), token => Assert.Equal(1, token));
        Assert.Equal(1, new Sampler(SamplingOptions.Greedy).Next([0f, 2f, 2f, 1f], []));
    }

    [Fact]
    public void Frequencies_are_the_softmax_of_the_logits()
    {
        int[] draws = Draws(s_open, 20_000);
        double total = s_logits.Sum(logit => Math.Exp(logit));
        for (int token = 0; token < s_logits.Length; token++)
            Assert.Equal(Math.Exp(s_logits[token]) / total, draws.Count(draw => draw == token) / 20_000.0, 0.015);
    }

    [Fact]
    public void Equal_seeds_draw_equally_and_others_do_not()
    {
        Assert.Equal(Draws(s_open, 200), Draws(s_open, 200));
        Assert.NotEqual(Draws(s_open, 200), Draws(s_open with { Seed = 2 }, 200));
    }

    [Fact]
    public void Filters_keep_only_the_likeliest()
    {
        Assert.Equal([1, 4], Draws(s_open with { TopK = 2 }, 300).Distinct().Order());
        Assert.Equal([1, 4], Draws(s_open with { TopP = 0.6f }, 300).Distinct().Order()); // 0.48 + 0.29 reaches it
        Assert.Equal([1, 2, 4], Draws(s_open with { MinP = 0.3f }, 300).Distinct().Order()); // e^-1 = 0.37 of the best
        Assert.Equal([1], Draws(s_open with { TopP = 1e-6f }, 50).Distinct());
        Assert.Equal([1], Draws(s_open with { MinP = 1 }, 50).Distinct());
    }

    [Fact]
    public void Of_equal_logits_top_k_keeps_the_first() =>
        Assert.Equal([0, 1], Enumerable.Range(0, 100)
            .Select(i => new Sampler(s_open with { TopK = 2, Seed = (ulong)i }).Next([1f, 1f, 1f, 1f], [])).Distinct().Order());

    [Fact]
    public void A_low_temperature_sharpens_and_a_high_one_flattens()
    {
        Assert.All(Draws(s_open with { Temperature = 0.01f }, 100), token => Assert.Equal(1, token));
        Assert.Equal(0.2, Draws(s_open with { Temperature = 1000 }, 20_000).Count(token => token == 3) / 20_000.0, 0.02);
    }

    [Fact]
    public void Repeated_tokens_are_penalised_once_each_within_the_window()
    {
        SamplingOptions penalised = SamplingOptions.Greedy with { RepeatPenalty = 2 };
        Assert.Equal(4, Draws(penalised, 1, 1).Single()); // 3 / 2 is below 2.5
        Assert.Equal(4, Draws(penalised, 1, 1, 1, 1).Single());
        Assert.Equal(1, Draws(penalised with { RepeatWindow = 1 }, 1, 1, 3).Single());
        Assert.Equal(0, new Sampler(penalised).Next([-1f, -0.6f], [1])); // a negative logit is multiplied
    }

    [Fact]
    public void Random_numbers_are_the_same_everywhere()
    {
        var random = new SplitMix64(1234567);
        ulong[] published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821];
        Assert.Equal(published, published.Select(_ => random.Next()));
    }

    [Theory]
    [InlineData(-1f, 40, 1f, 0f, 1f, "temperature: -1, expected 0 or more")]
    [InlineData(float.NaN, 40, 1f, 0f, 1f, "temperature: NaN")]
    [InlineData(1f, -1, 1f, 0f, 1f, "top-k: -1, expected 0 or more")]
    [InlineData(1f, 0, 0f, 0f, 1f, "top-p: 0, expected above 0, at most 1")]
    [InlineData(1f, 0, 1f, 1.5f, 1f, "min-p: 1.5, expected 0 to 1")]
    [InlineData(1f, 0, 1f, 0f, 0f, "repeat penalty: 0, expected above 0")]
    public void Settings_out_of_range_are_named(float temperature, int topK, float topP, float minP, float penalty, string message)
    {
        var options = new SamplingOptions { Temperature = temperature, TopK = topK, TopP = topP, MinP = minP, RepeatPenalty = penalty };
        Assert.Contains(message, Assert.Throws<ArgumentException>(options.Validate).Message, StringComparison.Ordinal);
    }
}
