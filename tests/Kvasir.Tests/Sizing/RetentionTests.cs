using System.Collections.Immutable;
using CsCheck;
using Kvasir.Formats.Models;
using Kvasir.Planning.Sizing;

namespace Kvasir.Tests.Sizing;

/// <summary>How many tokens policies keep.</summary>
public class RetentionTests
{
    static ImmutableArray<long> Kept(string policy, int layers, long tokens) =>
        Retention.Parse(policy).Kept(Specs.Dense(layers, 1, 1, 32), tokens);

    /// <summary>
    /// PyramidKV, Cai et al., 2024, arXiv 2406.02069, eq. 4–5 with β = 20, α = 8, for a budget of 128 in 32 layers: 234 down to 6 beside
    /// the 8 recent ones. The published code's whole steps give a sum of 4,016 instead of (128 − 8) · 32 = 3,840.
    /// </summary>
    [Fact]
    public void A_pyramid_of_128_tokens_spends_its_budget_exactly()
    {
        long[] chosen = [.. Kept("pyramidkv:128", 32, 8192).Select(kept => kept - 8)];
        Assert.Equal([234, 227, 219], chosen[..3]);
        Assert.Equal([21, 13, 6], chosen[^3..]);
        Assert.Equal(3840, chosen.Sum());
        Assert.Equal(4016, Enumerable.Range(0, 32).Sum(layer => 234 - layer * ((234 - 6) / 31)));
    }

    /// <summary>
    /// The line of the paper in floating point: no layer is a whole token from it, the sum is the budget, and
    /// nobody keeps more than there is.
    /// </summary>
    [Fact]
    public void A_pyramid_follows_its_line() =>
        Gen.Select(Gen.Int[9, 5000], Gen.Int[2, 130], Gen.Int[1, 200_000]).Sample((budget, layers, tokens) =>
        {
            ImmutableArray<long> kept = Kept($"pyramidkv:{budget}", layers, tokens);
            if (tokens <= budget)
            {
                Assert.All(kept, count => Assert.Equal(tokens, count));
                return;
            }
            double total = (double)(budget - 8) * layers, last = total / (20.0 * layers), first = 2 * total / layers - last;
            if (first > tokens - 8)
                (first, last) = (tokens - 8, 2 * total / layers - (tokens - 8));
            Assert.Equal((long)budget * layers, kept.Sum());
            for (int layer = 0; layer < layers; layer++)
            {
                Assert.InRange(kept[layer], 8, tokens);
                Assert.True(Math.Abs(kept[layer] - 8 - (first - (first - last) * layer / (layers - 1))) < 1);
            }
        }, iter: 2000);

    /// <summary>FastGen, arXiv 2310.01801, table 1: of 65B, 44.9 % are pruned at a recovery of 0.95.</summary>
    [Fact]
    public void A_measured_share_is_pruned() => Assert.All(Kept("fastgen:0.449", 80, 8192), kept => Assert.Equal(4514, kept));

    [Theory, InlineData("window:1020+4", 8192, 1024), InlineData("window:1020+4", 1000, 1000), InlineData("window:512", 8192, 512)]
    public void A_window_keeps_the_last_tokens_and_the_sinks(string policy, long tokens, long kept) =>
        Assert.All(Kept(policy, 4, tokens), count => Assert.Equal(kept, count));

    [Fact]
    public void Sliding_layers_keep_their_window_and_readers_what_their_producer_has()
    {
        ModelSpec spec = ModelSpecs.Find("gemma-3n-e4b");
        ImmutableArray<long> kept = Retention.Parse("window:100").Kept(spec, 8192);
        Assert.All(spec.Attention.Zip(kept), layer => Assert.Equal(layer.First.Window ?? 100, layer.Second));
    }

    [Fact]
    public void No_policy_keeps_more_than_everything() =>
        Gen.Select(Specs.Any, Gen.Int[0, 5000], Specs.OneOf("window:100+4", "pyramidkv:64", "fastgen:0.5"))
            .Where((spec, _, _) => spec.Attention.Any(layer => layer.Window is null)).Sample((spec, tokens, policy) =>
            Assert.All(Retention.Parse(policy).Kept(spec, tokens).Zip(Retention.Everything.Kept(spec, tokens)),
                layer => Assert.InRange(layer.First, 0, layer.Second)));

    [Theory]
    [InlineData(""), InlineData("window"), InlineData("window:0"), InlineData("window:-1"), InlineData("window:99999999999"),
        InlineData("window:5+"), InlineData("pyramidkv:8")]
    [InlineData("fastgen:1"), InlineData("fastgen:1.5"), InlineData("fastgen:-0.1"), InlineData("h2o:20"), InlineData("window:5\n")]
    public void What_is_no_policy_is_refused(string policy) =>
        Assert.StartsWith("retention", Assert.Throws<ArgumentException>(() => Retention.Parse(policy)).Message, StringComparison.Ordinal);

    [Theory, InlineData("window:5+4"), InlineData("pyramidkv:128"), InlineData("fastgen:0.449")]
    public void Policies_are_written_as_they_are_read(string policy) => Assert.Equal(policy, Retention.Parse(policy).ToString());

    [Fact]
    public void A_policy_without_effect_is_refused() =>
        Assert.Contains("no layer that attends to everything", Assert.Throws<ArgumentException>(
            () => Retention.Parse("window:5").Kept(ModelSpecs.Find("mistral-7b-v0.1"), 10)).Message, StringComparison.Ordinal);
}
