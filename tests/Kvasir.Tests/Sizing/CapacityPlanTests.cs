using CsCheck;
using Kvasir.Formats.Models;
using Kvasir.Planning.Sizing;

namespace Kvasir.Tests.Sizing;

/// <summary>What fits where.</summary>
public class CapacityPlanTests
{
    static CapacityPlan Plan(string model, string type = "bf16", KvRetention? retention = null) =>
        new(new KvSize(ModelSpecs.Find(model), Specs.Kv(type)), retention ?? KvRetention.Everything);

    [Fact]
    public void The_longest_context_fits_and_one_token_more_does_not() =>
        Gen.Select(Specs.Any, Gen.Long[0, 1 << 22], Gen.Bool).Sample((spec, room, inBlocks) =>
        {
            var plan = new CapacityPlan(new KvSize(spec, Specs.Kv("q8_0")), KvRetention.Everything);
            const int Most = 5000;
            long longest = plan.LongestContext(room, Most, inBlocks);
            Assert.True(plan.SequenceBytes(longest, inBlocks) <= room);
            Assert.True(longest == Most || plan.SequenceBytes(longest + 1, inBlocks) > room);
            Assert.True(inBlocks || longest >= plan.LongestContext(room, Most, inBlocks: true));
        }, iter: 500);

    /// <summary>64 GiB are 64 conversations of Llama 3 8B at 8,192 tokens, of 1 GiB each.</summary>
    [Fact]
    public void Tiers_hold_whole_blocks()
    {
        CapacityPlan plan = Plan("llama-3-8b");
        Assert.Equal((524_288, 64), (plan.TierTokens(64L << 30, onDisk: false), plan.TierConversations(64L << 30, 8192, onDisk: false)));
        Assert.Equal(63, plan.TierConversations((64L << 30) - 1, 8192, onDisk: false));
        Assert.Equal(63, plan.TierConversations(64L << 30, 8192, onDisk: true)); // a page of header for every block of 2 MiB
        Assert.Equal(64, plan.Sequences(64L << 30, 8192, inBlocks: true));
        Assert.Equal(0, plan.Sequences(1 << 20, 8192, inBlocks: false));
    }

    /// <summary>
    /// 8,192 tokens of Llama 3 8B: 2 · 8.03e9 · 8192 = 132 TFLOP and 1 GiB, so that at 1 TFLOP/s 8.2 MB/s
    /// break even, and 25 GB/s need 43 ms.
    /// </summary>
    [Fact]
    public void Loading_beats_computing_above_a_bandwidth()
    {
        ModelSpec spec = ModelSpecs.Find("llama-3-8b");
        double perS = Plan("llama-3-8b").BreakEven(8192, spec.Parameters!.Value, 1e12);
        Assert.Equal(132, (1L << 30) / perS, 0.5);
        Assert.Equal(0.043, Plan("llama-3-8b").SequenceBytes(8192, inBlocks: false) / 25e9, 0.0005);
        // full layers: the same at any length
        Assert.Equal(perS, Plan("llama-3-8b").BreakEven(64, spec.Parameters!.Value, 1e12), perS * 1e-9);
    }

    [Fact]
    public void Under_a_policy_sequences_take_what_their_views_do()
    {
        CapacityPlan plan = Plan("llama-3-8b", "bf16", KvRetention.Parse("window:1020+4"));
        Assert.False(plan.HasBlocks);
        // 256 heads with 64 segments of 16 · 512 bytes, of which 256 lie in a slot of 2 MiB
        Assert.Equal(64 * (2L << 20), plan.SequenceBytes(8192, inBlocks: false));
        Assert.Equal(8, plan.Sequences(1L << 30, 8192, inBlocks: false));
    }
}
