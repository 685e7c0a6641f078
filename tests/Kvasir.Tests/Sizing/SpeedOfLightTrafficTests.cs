using Kvasir.Formats.Models;
using Kvasir.Planning.Sizing;
using static Kvasir.Tests.Sizing.SpeedOfLightModels;

namespace Kvasir.Tests.Sizing;

/// <summary>What is read and kept where layers differ, and what follows from it.</summary>
public class SpeedOfLightTrafficTests
{
    static AttentionSpec Layer(int producer, int? window = null) => new(8, 2, 64, 64, window, producer);

    static readonly Hardware s_device = new()
    {
        Name = "test", Source = "a test", MemoryBytesPerS = 1e12, Bf16PerS = 1e14, MemoryBytes = 64e9,
    };

    static SpeedOfLight Limits(ModelSpec model) => new(new ModelTraffic(model, 2, 2), s_device, Arithmetic.Bf16);

    [Fact]
    public void Sharing_layers_read_what_others_keep()
    {
        ModelTraffic traffic = new(Exercise.With(Layer(0), Layer(0), Layer(2), Layer(2)), 2, 2);
        Assert.Equal(2 * 256 * 2 * 100, traffic.KvBytesKept(100));
        Assert.Equal(4 * 256 * 2 * 100, traffic.KvBytesRead(100));
    }

    [Fact]
    public void Windows_bound_what_is_read_and_computed()
    {
        ModelTraffic traffic = new(Exercise.With(Layer(0, window: 16), Layer(1)), 2, 2);
        Assert.Equal(256 * 2 * (16 + 100), traffic.KvBytesRead(100));
        Assert.Equal(256 * 2 * (10 + 10), traffic.KvBytesRead(10));
        Assert.Equal(3 * 2 * 8 * 128 * (16 + 100), traffic.Step(3, 100).AttentionOperations);
    }

    /// <summary>Token i attends to itself and those before it, at most a window of them.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    [InlineData(100)]
    public void A_prompt_attends_to_what_its_tokens_see(int tokens)
    {
        ModelTraffic traffic = new(Exercise.With(Layer(0, window: 16), Layer(1)), 2, 2);
        foreach (int depth in (int[])[0, 5, 50])
            Assert.Equal(2.0 * 8 * 128 * Enumerable.Range(depth + 1, tokens).Sum(i => Math.Min(i, 16) + (long)i),
                traffic.Prefill(tokens, depth).AttentionOperations);
    }

    [Fact]
    public void Only_the_last_token_of_a_prompt_gets_logits()
    {
        double output = 4096.0 * 32128, active = Exercise.ActiveParameters!.Value;
        Assert.Equal(2 * active, new ModelTraffic(Exercise, 2, 2).Prefill(1).MatrixOperations);
        Assert.Equal(2 * (100 * active - 99 * output), new ModelTraffic(Exercise, 2, 2).Prefill(100).MatrixOperations);
    }

    [Fact]
    public void Absurd_dimensions_do_not_overflow() =>
        Assert.Equal(Math.Pow(2, 16 + 21 + 30),
            new ModelTraffic(Exercise.With(new AttentionSpec(1 << 16, 1 << 16, 1 << 20, 1 << 20, null, 0)), 1, 1).KvBytesRead(1 << 30));

    /// <summary>The expectation itself: experts by experts, over all choices of a small mixture.</summary>
    [Fact]
    public void Touched_experts_are_those_of_uniform_routing()
    {
        int[] pairs = [.. Enumerable.Range(0, 16).Where(set => int.PopCount(set) == 2)];
        double touched = pairs.SelectMany(_ => pairs, (a, b) => int.PopCount(a | b)).Average() / 4;
        Assert.Equal(touched, new ExpertRouting(2, 4).Touched(2), 12);
    }

    [Fact]
    public void A_batch_reads_more_experts_of_a_mixture()
    {
        ModelTraffic traffic = new(Mixture, 1, 1);
        Assert.Equal(1000 + 8 * 64, traffic.WeightBytes(1), 6);
        Assert.Equal(1000 + 128 * 64 * (1 - Math.Pow(120 / 128.0, 10)), traffic.WeightBytes(10), 6);
        Assert.Equal(1000 + 128 * 64, traffic.WeightBytes(1e9), 6);
        Assert.Equal(new ExpertRouting(8, 128), traffic.Routing);
        Assert.Null(new ModelTraffic(Mistral7B, 1, 1).Routing);
    }

    /// <summary>
    /// One token reads what it reads, and everybody reads everything; how fast the one becomes the other is what a routing says.
    /// </summary>
    [Fact]
    public void A_routing_may_be_another_than_the_models()
    {
        ModelTraffic traffic = new(Mixture, 1, 1, new ExpertRouting(8, 16));
        Assert.Equal(1000 + 8 * 64, traffic.WeightBytes(1), 6);
        Assert.Equal(1000 + 8 * 64 + 120 * 64 * 0.75, traffic.WeightBytes(3), 6); // half of those that are left, and again
        Assert.Equal(1000 + 128 * 64, traffic.WeightBytes(1e9), 6);
    }

    [Fact]
    public void Where_every_expert_is_chosen_a_batch_reads_no_more()
    {
        ModelTraffic traffic =
            new(Mixture with { ActiveParameters = 1000 + 128 * 64, Experts = new ExpertSpec(new ExpertRouting(128, 128), 128 * 64) }, 1, 1);
        Assert.All((double[])[1, 2, 1e9], batch => Assert.Equal(1000 + 128 * 64, traffic.WeightBytes(batch)));
    }

    [Fact]
    public void Routings_without_a_choice_and_models_without_parameters_are_refused()
    {
        Assert.Contains("9 from 8 experts, expected fewer", Assert.Throws<ArgumentException>(
            () => new ModelTraffic(Mixture, 1, 1, new ExpertRouting(9, 8))).Message, StringComparison.Ordinal);
        Assert.Contains("the model has no experts", Assert.Throws<ArgumentException>(
            () => new ModelTraffic(Mistral7B, 1, 1, new ExpertRouting(2, 8))).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new ModelTraffic(Mixture with { ActiveParameters = 0 }, 1, 1));
        Assert.Throws<ArgumentException>(() => new ModelTraffic(Mixture with { ActiveParameters = null }, 1, 1));
    }

    /// <summary>At the critical batch, products take as long as their weights, also where more tokens read more weights.</summary>
    [Fact]
    public void At_the_critical_batch_both_times_are_equal()
    {
        Hardware slow = s_device with { Bf16PerS = 4e12 }; // so that a batch of some experts is critical, not of all
        foreach (SpeedOfLight limits in (SpeedOfLight[])[Limits(Mistral7B), new(new ModelTraffic(Mixture, 2, 2), slow, Arithmetic.Bf16)])
        {
            double batch = limits.CriticalBatch, perToken = limits.Traffic.Step(1, 0).MatrixOperations;
            Assert.Equal(1, batch * perToken / limits.Hardware.Bf16PerS!.Value
                / (limits.Traffic.WeightBytes(batch) / limits.Hardware.MemoryBytesPerS), 1e-9);
            Assert.False(limits.Step((int)batch, 0).BoundByArithmetic);
            Assert.True(limits.Step((int)batch + 1, 0).BoundByArithmetic);
        }
    }

    [Fact]
    public void The_largest_batch_is_the_last_that_fits()
    {
        SpeedOfLight limits = Limits(Mistral7B);
        int largest = limits.LargestBatch(4096)!.Value;
        Assert.Equal((int)((64e9 - 2.0 * Mistral7B.Parameters!.Value) / (4096 * 131072)), largest);
        Assert.True(limits.Fits(largest, 4096));
        Assert.False(limits.Fits(largest + 1, 4096));
        Assert.Equal(0, Limits(Llama3_70B).LargestBatch(4096));
        Assert.Null(limits.LargestBatch(0));
        Assert.Null(Limits(Mistral7B with { Parameters = null }).Fits(1, 4096));
    }

    [Fact]
    public void A_frontier_gains_throughput_for_latency_and_stays_in_memory()
    {
        foreach (int position in (int[])[0, 512, 32768])
        {
            FrontierPoint[] points = [.. Frontier.Of(Limits(Mistral7B), position)];
            Assert.Equal(1, points[0].Batch);
            Assert.Equal(points.Select(point => point.Batch).Distinct().Order(), points.Select(point => point.Batch));
            Assert.All(points.Zip(points.Skip(1)),
                pair => Assert.True(pair.First.TokensPerS < pair.Second.TokensPerS && pair.First.Time.Seconds <= pair.Second.Time.Seconds));
            Assert.All(points, point => Assert.True(point.Fits));
            Assert.True(points[^1].Time.BoundByArithmetic || points[^1].Batch == Limits(Mistral7B).LargestBatch(position));
        }
        Assert.False(Assert.Single(Frontier.Of(Limits(Llama3_70B), 4096)).Fits);
    }

    /// <summary>
    /// Llama-3-8B's 1 GiB of KV for 8192 tokens: a tier as fast as the break-even brings it back in the time of the prefill.
    /// </summary>
    [Fact]
    public void The_break_even_of_a_tier()
    {
        SpeedOfLight limits = Limits(Mistral7B);
        Assert.Equal(limits.Prefill(8192).Seconds, (1L << 30) / limits.BreakEvenBytesPerS(8192), 1e-9);
    }
}
