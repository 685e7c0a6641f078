using System.Text;
using CsCheck;
using Kvasir.Inference.Sampling;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Sampling;

/// <summary>DRY against its definition, letter by letter.</summary>
[Collection(nameof(Allocations))]
public sealed class DryPenaltyTests
{
    static readonly string[] s_tokens = ["a", "b", "ab", ":", "b:a", "\n", "|", "<", "<|"];
    static readonly byte[][] s_bytes = [.. s_tokens.Select(Encoding.UTF8.GetBytes)];

    static ReadOnlySpan<byte> Text(int token) => s_bytes[token];

    /// <summary>
    /// How much a token loses: by the longest n of which the last n tokens, none of them reaching into a breaker, stood before it.
    /// </summary>
    static double Loss(DryOptions options, int[] history, int since, int token)
    {
        int[] window = options.Window < 0 ? history : history[^Math.Min(history.Length, options.Window)..];
        int longest = 0;
        for (int at = 1; at < window.Length; at++)
            for (int n = 1; n <= Math.Min(at, since); n++)
                if (window[at] == token && window.AsSpan(at - n, n).SequenceEqual(window.AsSpan(window.Length - n)))
                    longest = Math.Max(longest, n);
        return longest < options.AllowedLength || options.Breakers.Any(s_tokens[token].Contains) ? 0
            : options.Multiplier * Math.Pow(options.Base, longest - options.AllowedLength);
    }

    static int SinceBreaker(DryOptions options, int[] history) => Enumerable.Range(0, history.Length + 1)
        .TakeWhile(count => !options.Breakers.Any(breaker => EndsIn(breaker, history, count))).Last();

    /// <summary>Whether a breaker ends within the last tokens, wherever it began.</summary>
    static bool EndsIn(string breaker, int[] history, int count)
    {
        string all = string.Concat(history.Select(token => s_tokens[token]));
        int from = string.Concat(history[..^count].Select(token => s_tokens[token])).Length;
        return Enumerable.Range(from + 1, all.Length - from).Any(end => all[..end].EndsWith(breaker, StringComparison.Ordinal));
    }

    [Fact]
    public void Logits_follow_the_definition_token_by_token() =>
        Gen.Select(Gen.Int[0, s_tokens.Length - 1].Array[0, 24], Gen.Int[1, 4], Gen.Int[-1, 12], Gen.Int[0, 3])
            .Sample((history, allowed, window, breakers) =>
        {
            DryOptions options = new()
            {
                Multiplier = 0.8f, AllowedLength = allowed, Window = window,
                Breakers = breakers switch { 0 => [], 1 => ["\n", ":"], 2 => ["<|"], _ => ["b:a", "|", "aa"] },
            };
            Sampler sampler = new(SamplingOptions.Greedy with { Dry = options }, Text);
            for (int length = 0; length <= history.Length; length++)
            {
                float[] logits = new float[s_tokens.Length];
                sampler.Next(logits, history.AsSpan(0, length));
                int since = SinceBreaker(options, history[..length]);
                for (int token = 0; token < logits.Length; token++)
                    Assert.Equal(window == 0 ? 0 : -Loss(options, history[..length], since, token), logits[token], 1e-3);
            }
        }, iter: 100);

    [Fact]
    public void Another_text_is_read_anew()
    {
        Sampler sampler = new(SamplingOptions.Greedy with { Dry = new() { Multiplier = 1 } }, Text);
        int[] repeats = [0, 1, 2, 0, 1];
        foreach (int[] history in (int[][])[repeats, [0, 1], repeats, [5, 1, 2, 3], repeats])
        {
            float[] logits = new float[s_tokens.Length];
            sampler.Next(logits, history);
            Assert.Equal(history == repeats ? -1 : 0, logits[2]);
        }
    }

    [Fact]
    public void A_long_repetition_stays_a_number()
    {
        float[] logits = new float[s_tokens.Length];
        new Sampler(SamplingOptions.Greedy with { Dry = new() { Multiplier = 5, Base = 100 } }, Text).Next(logits, new int[5000]);
        Assert.Equal(-1e30f, logits[0]);
    }

    [Fact]
    public void Looking_back_allocates_nothing_once_warm()
    {
        Sampler sampler = new(SamplingOptions.Greedy with { Dry = new() { Multiplier = 1 } }, Text);
        float[] logits = new float[s_tokens.Length];
        int[] history = [.. Enumerable.Range(0, 500).Select(i => i * i % 7 % 3)];
        Assert.Equal(0, Allocations.Of(() =>
        {
            for (int length = 400; length < 500; length++)
                sampler.Next(logits, history.AsSpan(0, length));
        }));
    }
}
