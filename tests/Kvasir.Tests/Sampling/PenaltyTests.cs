using CsCheck;
using Kvasir.Inference.Sampling;

namespace Kvasir.Tests.Sampling;

/// <summary>The penalties and biases of OpenAI's API.</summary>
public class PenaltyTests
{
    static readonly SamplingOptions s_greedy = SamplingOptions.Greedy;

    static float[] After(SamplingOptions options, float[] logits, int[] history, int prompt)
    {
        float[] changed = [.. logits];
        new Sampler(options).Next(changed, history, prompt);
        return changed;
    }

    /// <summary>Token by token, as a generation asks, against the formula over the whole completion.</summary>
    [Fact]
    public void Logits_follow_the_published_formula_over_the_completion_alone() =>
        Gen.Select(Gen.Int[0, 7].Array[0, 30], Gen.Int[0, 30], Gen.Float[-2, 2], Gen.Float[-2, 2])
            .Sample((history, start, frequency, presence) =>
        {
            int prompt = Math.Min(start, history.Length);
            Sampler sampler = new(s_greedy with { FrequencyPenalty = frequency, PresencePenalty = presence });
            for (int length = prompt; length <= history.Length; length++)
            {
                float[] logits = [3, -1, 0, 2, 5, -7, 1, 4], changed = [.. logits];
                sampler.Next(changed, history.AsSpan(0, length), prompt);
                for (int token = 0; token < logits.Length; token++)
                {
                    int count = history[prompt..length].Count(seen => seen == token);
                    Assert.Equal(logits[token] - count * frequency - (count > 0 ? 1 : 0) * presence, changed[token], 1e-4f);
                }
            }
        }, iter: 500);

    [Fact]
    public void A_sampler_that_is_given_a_shorter_or_other_text_counts_anew()
    {
        Sampler sampler = new(s_greedy with { FrequencyPenalty = 1 });
        sampler.Next([0f, 0f, 0f], [1, 1, 2]);
        foreach (int[] history in (int[][])[[1, 1], [1, 0, 0, 2], []])
        {
            float[] logits = [0, 0, 0];
            sampler.Next(logits, history);
            Assert.Equal([.. Enumerable.Range(0, 3).Select(token => (float)-history.Count(seen => seen == token))], logits);
        }
    }

    [Fact]
    public void Penalties_change_what_is_chosen()
    {
        Assert.Equal(1, new Sampler(s_greedy with { PresencePenalty = 2 }).Next([3f, 1.5f], [0], prompt: 0));
        Assert.Equal(0, new Sampler(s_greedy with { PresencePenalty = 2 }).Next([3f, 1.5f], [0], prompt: 1)); // only the prompt said it
        Assert.Equal(0, new Sampler(s_greedy with { FrequencyPenalty = 0.7f }).Next([3f, 1.5f], [0, 0], prompt: 0));
        Assert.Equal(1, new Sampler(s_greedy with { FrequencyPenalty = 0.7f }).Next([3f, 1.5f], [0, 0, 0], prompt: 0));
        Assert.Equal(1, new Sampler(s_greedy with { FrequencyPenalty = -2 }).Next([3f, 1.5f], [1], prompt: 0));
    }

    [Fact]
    public void Biases_are_added_and_a_masked_token_stays_masked()
    {
        Dictionary<int, float> bias = new() { [0] = -100, [2] = 100, [99] = 5 };
        Assert.Equal([-97, 1, 102], After(s_greedy with { LogitBias = bias }, [3, 1, 2], [], 0));
        Assert.Equal(1, new Sampler(s_greedy with { LogitBias = bias }).Next([3f, 1f, float.NegativeInfinity], []));
    }

    [Theory]
    [InlineData(2.5f, 0f, 0, 0f, "frequency penalty: 2.5, expected -2 to 2")]
    [InlineData(0f, float.NaN, 0, 0f, "presence penalty: NaN, expected -2 to 2")]
    [InlineData(0f, 0f, 7, 101f, "logit bias: 101 for token 7, expected -100 to 100")]
    [InlineData(0f, 0f, -7, 1f, "logit bias: 1 for token -7, expected")]
    public void Values_out_of_range_are_named(float frequency, float presence, int token, float bias, string message)
    {
        SamplingOptions options = new()
        {
            FrequencyPenalty = frequency, PresencePenalty = presence, LogitBias = new Dictionary<int, float> { [token] = bias },
        };
        Assert.Contains(message, Assert.Throws<ArgumentException>(options.Validate).Message, StringComparison.Ordinal);
    }
}
