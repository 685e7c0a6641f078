using CsCheck;
using Kvasir.Formats.Models;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Retention;
using Kvasir.Planning.Sizing;
using Kvasir.Tests.Retention;

namespace Kvasir.Tests.Sizing;

/// <summary>What is said of policies, beside what they choose.</summary>
public class KvRetentionTests
{
    static KvUse Use(string policy, ModelSpec spec, long tokens, string type = "f16") =>
        KvRetention.Parse(policy).Of(new KvSize(spec, Specs.Kv(type)), tokens);

    /// <summary>
    /// The bytes of an estimate are those of the slots that a choice really takes, whatever the scores; only of budgets in tokens that
    /// heads share, by as many segments as there are heads.
    /// </summary>
    [Fact]
    public void Bytes_are_those_of_a_choice() =>
        Gen.Select(Prefixes.Any, Gen.Bool, Gen.Enum<RetentionSchedule>(), Gen.Int[1, 99], Gen.Bool, Gen.Int[0, 1000])
            .Sample((shape, isFastGen, schedule, budget, isShare, seed) =>
        {
            string amount = isShare ? $"{budget}%" : $"{budget + 10}";
            string form = isFastGen ? $"fastgen:0.9+{schedule}:{amount}" : $"random:{amount},alloc={schedule}";
            RetentionPolicy policy = RetentionPolicy.Parse(form + ",sinks=2,recent=5,min=0")!;
            KeptPositions? kept = RetentionSelection.Select(policy, shape, Prefixes.Scores(shape, seed), Prefixes.Heads(shape, seed));
            RetentionEstimate? estimate = RetentionSelection.Estimate(policy, shape);
            bool isShared = isFastGen || schedule is RetentionSchedule.Global or RetentionSchedule.Layer;
            long segments = !isShare && isShared ? shape.Heads : 0, slack = segments * 1700 / shape.SlotBytes + (segments > 0 ? 2 : 0);
            if (kept is not null && estimate is not null)
                Assert.InRange(estimate.Slots, kept.Slots - slack, kept.Slots + slack);
            else if (slack == 0)
                Assert.Equal(kept is null, estimate is null);
            if (kept is not null && estimate is not null && isShare && !isShared)
                Assert.Equal(estimate.Positions, shape.Layers.Select((layer, i) =>
                    Enumerable.Range(0, layer.KvHeads).Sum(head => (long)kept.Of(i, head).Length)));
        }, iter: 1000);

    /// <summary>By hand: 2 layers of 2 heads of 64 in f16. A segment has 16 · 256 bytes, a slot 16 KiB and thus 4 segments.</summary>
    [Theory]
    [InlineData("replay:25%", 16 * 16_384, 64 * 16)] // 16 of 64 slots
    [InlineData("replay:256KiB", 16 * 16_384, 64 * 16)]
    [InlineData("replay:100", 7 * 16_384, 4 * 100)] // 4 · 7 segments
    [InlineData("window:60+4", 4 * 16_384, 4 * 64)]
    [InlineData("fastgen:0.9,kept=25%", 16 * 16_384, 4 * 256)]
    [InlineData("100%", 64 * 16_384, 4 * 1024)]
    [InlineData("25%,min=2000", 64 * 16_384, 4 * 1024)]
    [InlineData("50%,type=q8_0", 32 * 16_384, 4 * 1024)] // a segment has 16 · 136 bytes, a slot 7: 37 hold everything, 32 are allowed
    public void A_view_takes_whole_slots(string policy, long bytes, long rows)
    {
        KvUse use = Use(policy, Specs.Dense(2, 2, 2, 64), 1024);
        Assert.Equal(bytes, use.Bytes);
        if (!policy.Contains("type", StringComparison.Ordinal))
            Assert.Equal((rows, rows * 256), (use.Rows, use.ReadBytes));
    }

    /// <summary>By hand: 16 of 64 pages, or 8, of 16 · 256 bytes, and bounds of 15 groups of 64 · 20 bytes, for each of 4 heads.</summary>
    [Theory]
    [InlineData("quest:25%", 4 * (16 * 16 * 256 + 15 * 1280))]
    [InlineData("quest:120", 4 * (8 * 16 * 256 + 15 * 1280))]
    [InlineData("quest:100%", 4 * 1024 * 256)]
    [InlineData("quest:1%,min=2000", 4 * 1024 * 256)]
    [InlineData("quest:eps=0.01", 4 * 1024 * 256)] // at most
    public void Of_what_is_kept_whole_pages_are_read(string policy, long bytes)
    {
        KvUse all = KvRetention.Everything.Of(new KvSize(Specs.Dense(2, 2, 2, 64), Specs.Kv("f16")), 1024);
        Assert.Equal(all with { ReadBytes = bytes }, Use(policy, Specs.Dense(2, 2, 2, 64), 1024));
    }

    /// <summary>What is behind the last whole block is not part of a view: 5 tokens in a block of their own.</summary>
    [Fact]
    public void A_begun_block_is_kept_beside_the_view() =>
        Assert.Equal(new KvUse(17 * 16_384, (64 * 16 + 4 * 5) * 256, 64 * 16 + 4 * 5), Use("replay:25%", Specs.Dense(2, 2, 2, 64), 1024 + 5));

    [Fact]
    public void Sliding_layers_keep_their_window_and_readers_read_what_their_producer_has()
    {
        ModelSpec spec = ModelSpecs.Find("gemma-3n-e4b");
        KvUse use = Use("window:100", spec, 8192);
        AttentionSpec[] layers = [.. spec.Attention];
        Assert.Equal(layers.Where((layer, i) => layer.Producer == i).Sum(layer => layer.KvHeads * (layer.Window ?? 104L)), use.Rows);
        Assert.Equal(layers.Sum(layer => layer.Elements * 2 * (layer.Window ?? 104L)), use.ReadBytes);
    }

    [Fact]
    public void Whatever_is_kept_is_no_more_than_everything() =>
        Gen.Select(Specs.Any, Gen.Int[0, 5000], Specs.OneOf("window:100", "pyramidkv:64", "replay:25%", "fastgen:0.5,kept=50%", "replay:1MiB"))
            .Where((spec, _, _) => spec.Attention.Any(layer => layer.Window is null)).Sample((spec, tokens, policy) =>
        {
            var size = new KvSize(spec, Specs.Kv("f16"));
            KvUse use = KvRetention.Parse(policy).Of(size, tokens);
            Assert.InRange(use.Bytes, 0, size.WholeBytes(tokens)); // views are made of whole blocks
            Assert.InRange(use.ReadBytes, 0, size.ReadBytes(tokens));
            Assert.InRange(use.Rows, 0, size.Rows(tokens));
        }, iter: 500);

    [Theory]
    [InlineData("keep:5", "expected none, BUDGET"), InlineData("25%,kept=5%", "kept= is for fastgen:T alone")]
    [InlineData("fastgen:0.9", "expected the share that was measured behind it, such as ,kept=55%")]
    [InlineData("fastgen:0.9,kept=0%", "kept=0%, expected above 0% and at most 100%")]
    [InlineData("fastgen:0.9,kept=half", "kept=half, expected")]
    public void What_cannot_be_sized_is_refused(string policy, string message)
    {
        string said = Assert.Throws<ArgumentException>(() => KvRetention.Parse(policy)).Message;
        Assert.StartsWith("retention '", said, StringComparison.Ordinal);
        Assert.Contains(message, said, StringComparison.Ordinal);
    }

    [Fact]
    public void A_policy_without_effect_or_with_rows_that_its_codec_cannot_hold_is_refused()
    {
        Refuses("no layer that attends to everything", "window:5", ModelSpecs.Find("mistral-7b-v0.1"));
        Refuses("q8_0", "25%,type=q8_0", Specs.Dense(1, 1, 1, 80));

        static void Refuses(string message, string policy, ModelSpec spec) =>
            Assert.Contains(message, Assert.Throws<ArgumentException>(() => Use(policy, spec, 1024)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void None_is_everything() => Assert.Equal(KvRetention.Everything, KvRetention.Parse("none"));
}
