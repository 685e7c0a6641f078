using CsCheck;
using Kvasir.KvCache.Retention;

namespace Kvasir.Tests.Retention;

/// <summary>Which positions policies keep.</summary>
public class RetentionSelectionTests
{
    static readonly string[] s_policies =
    [
        "replay:{0}", "replay:{0},alloc=uniform", "replay:{0},alloc=layer", "replay:{0},alloc=pyramid", "replay:{0},alloc=funnel",
        "random:{0}",
        "fastgen:0.9+pyramid:{0}", "fastgen:0.9+global:{0}", "fastgen:0.9+uniform:{0}", "fastgen:0.9+funnel:{0}",
    ];

    static RetentionPolicy Policy(string text) => RetentionPolicy.Parse(text)! with { Minimum = 0 };

    static KeptPositions? Select(string policy, RetentionShape shape, int seed = 1) =>
        RetentionSelection.Select(Policy(policy), shape, Prefixes.Scores(shape, seed), Prefixes.Heads(shape, seed));

    static int[] Counts(KeptPositions kept) =>
        [.. Prefixes.HeadsOf(kept.Shape).Select(head => kept.Of(head.Layer, head.Head).Length)];

    /// <summary>By hand: (mean − recent) · layers on a line whose end is a twentieth of its mean, whole by largest remainder.</summary>
    [Theory]
    [InlineData("pyramid:64,sinks=0", new[] { 117, 96, 75, 53, 32, 11 })]
    [InlineData("funnel:64,sinks=0", new[] { 11, 32, 53, 75, 96, 117 })]
    [InlineData("pyramid:32,sinks=0", new[] { 55, 46, 37, 27, 18, 9 })]
    [InlineData("pyramid:128,sinks=0,recent=16", new[] { 234, 192, 149, 107, 64, 22 })]
    [InlineData("replay:64,alloc=uniform", new[] { 64, 64, 64, 64, 64, 64 })]
    public void Layers_have_their_part(string policy, int[] counts) =>
        Assert.Equal(counts, Counts(Select(policy, Prefixes.Even(6, 1, 2048))!));

    /// <summary>The last layer's 3 + 8 are fewer than the sinks and recent ones that it always keeps; the others pay for it.</summary>
    [Fact]
    public void No_layer_has_less_than_its_sinks_and_recent_ones()
    {
        int[] counts = Counts(Select("pyramid:64,sinks=16", Prefixes.Even(6, 1, 2048))!);
        Assert.Equal(6 * 64, counts.Sum());
        Assert.Equal(24, counts[^1]);
    }

    /// <summary>No layer keeps more than there is: the line is flatter then.</summary>
    [Fact]
    public void Nor_more_than_there_is()
    {
        int[] counts = Counts(Select("pyramid:64,sinks=0", Prefixes.Even(6, 1, 100))!);
        Assert.Equal((100, 6 * 64), (counts[0], counts.Sum()));
        Assert.Equal(28, counts[^1]);
    }

    /// <summary>
    /// AdaKV with α = .2, by hand: of 4 positions the second head has the best 3, 1 · .8 + .4 = 1.2 and 3 · .8 + .4 = 2.8, thus 1 and 3.
    /// The
    /// published rounding gives 1 and 2.
    /// </summary>
    [Fact]
    public void Heads_of_a_layer_share_by_their_best()
    {
        RetentionShape shape = Prefixes.Even(1, 2, 64);
        RetentionScores scores = new(shape);
        ((float[])[9]).CopyTo(scores.Of(0, 0));
        ((float[])[8, 7, 6]).CopyTo(scores.Of(0, 1));
        KeptPositions kept = RetentionSelection.Select(Policy("layer:2,sinks=0,recent=0"), shape, scores, null)!;
        Assert.Equal([0], kept.Of(0, 0));
        Assert.Equal([0, 1, 2], kept.Of(0, 1));
    }

    [Fact]
    public void Equal_scores_go_to_the_first_position()
    {
        RetentionShape shape = Prefixes.Even(1, 2, 100);
        RetentionScores scores = new(shape);
        scores.Of(0, 0).Fill(-1);
        scores.Of(0, 1).Fill(-1);
        ((float[])[9, 8, 1, 1]).CopyTo(scores.Of(0, 0));
        ((float[])[7, 2, 2, 2]).CopyTo(scores.Of(0, 1));
        KeptPositions kept = RetentionSelection.Select(Policy("global:2,sinks=0,recent=0"), shape, scores, null)!;
        Assert.Equal([0, 1], kept.Of(0, 0));
        Assert.Equal([0, 1], kept.Of(0, 1));
    }

    [Theory]
    [InlineData("100%", 600), InlineData("600", 600), InlineData("10000", 600), InlineData("64MiB", 600), InlineData("99.9%", 16)]
    [InlineData("fastgen:1", 1), InlineData("window:1000", 600)]
    public void What_fits_is_read_exactly(string policy, int positions) => Assert.Null(Select(policy, Prefixes.Even(6, 2, positions)));

    [Fact]
    public void So_is_what_is_shorter_than_the_minimum_and_what_is_wanted_whole()
    {
        RetentionShape shape = Prefixes.Even(6, 2, 511), longer = Prefixes.Even(6, 2, 512);
        RetentionPolicy policy = RetentionPolicy.Parse("random:25%")!;
        Assert.Null(RetentionSelection.Select(policy, shape, null, null));
        Assert.NotNull(RetentionSelection.Select(policy, longer, null, null));
        FastGenHead full = new(FastGenClass.Full, [.. Enumerable.Range(0, 512)], 1);
        Assert.Null(RetentionSelection.Select(RetentionPolicy.Parse("fastgen:1")!, longer, null,
            [.. Enumerable.Repeat<FastGenHead[]>([full, full], 6)]));
    }

    [Fact]
    public void A_window_keeps_the_first_and_the_last()
    {
        KeptPositions kept = RetentionSelection.Select(Policy("window:5+2"), Prefixes.Even(2, 1, 100), null, null)!;
        Assert.Equal([0, 1, 95, 96, 97, 98, 99], kept.Of(1, 0));
        Assert.Equal((14, 2, 1, Prefixes.Slot), (kept.Total, kept.Segments, kept.Slots, kept.Bytes));
    }

    [Fact]
    public void FastGen_alone_keeps_what_heads_require_beside_sinks_and_recent_ones()
    {
        RetentionShape shape = Prefixes.Even(1, 2, 40);
        KeptPositions kept = RetentionSelection.Select(Policy("fastgen:0.9,sinks=1,recent=2"), shape, null, [
            [new(FastGenClass.Punctuation, [0, 7, 39], .95), new(FastGenClass.Full, [.. Enumerable.Range(0, 40)], 1)]])!;
        Assert.Equal([0, 7, 38, 39], kept.Of(0, 0));
        Assert.Equal(40, kept.Of(0, 1).Length);
    }

    /// <summary>One head needs nothing, the other six positions; which, scores say. What is left goes where the most score is.</summary>
    [Fact]
    public void Combined_heads_have_as_many_as_they_need_before_anything_else()
    {
        RetentionShape shape = Prefixes.Even(1, 2, 400);
        RetentionScores scores = new(shape);
        scores.Of(0, 0).Slice(100, 10).Fill(5);
        scores.Of(0, 1).Slice(200, 10).Fill(1);
        FastGenHead[][] heads = [[new(FastGenClass.Special, [], .9), new(FastGenClass.Frequent, [.. Enumerable.Range(300, 6)], .9)]];
        KeptPositions kept = RetentionSelection.Select(Policy("fastgen:0.9+uniform:6,sinks=0,recent=0"), shape, scores, heads)!;
        Assert.Equal(Enumerable.Range(100, 6), kept.Of(0, 0).ToArray());
        Assert.Equal(Enumerable.Range(200, 6), kept.Of(0, 1).ToArray());
        kept = RetentionSelection.Select(Policy("fastgen:0.9+uniform:4,sinks=0,recent=0"), shape, scores, heads)!;
        Assert.Equal((2, 6), (kept.Of(0, 0).Length, kept.Of(0, 1).Length));
        kept = RetentionSelection.Select(Policy("fastgen:0.9+uniform:2,sinks=0,recent=0"), shape, scores, heads)!;
        Assert.Equal((0, 4), (kept.Of(0, 0).Length, kept.Of(0, 1).Length)); // capped by the layer's budget
    }

    /// <summary>Heads that require little hand their layer's budget to a layer whose heads require more.</summary>
    [Fact]
    public void Slack_of_a_layer_goes_to_layers_that_lack()
    {
        RetentionShape shape = Prefixes.Even(3, 1, 400);
        FastGenHead full = new(FastGenClass.Full, [.. Enumerable.Range(0, 400)], 1), none = new(FastGenClass.Special, [], .9);
        KeptPositions kept = RetentionSelection.Select(Policy("fastgen:0.9+uniform:100,sinks=4,recent=4"), shape, new(shape),
            [[none], [full], [none]])!;
        Assert.Equal([8, 284, 8], Counts(kept));
    }

    /// <summary>The segments of a head lie side by side in slots, none across two, and nothing overlaps.</summary>
    [Fact]
    public void Segments_lie_in_whole_slots() =>
        Gen.Select(Prefixes.Any, Gen.Int[1, 99], Gen.Int[0, 1000]).Sample((shape, share, seed) =>
        {
            if (Select($"replay:{share}%,sinks=2,recent=5", shape, seed) is not { } kept)
                return;
            var used = new HashSet<(int, long)>();
            long segments = 0;
            foreach ((int layer, int head) in Prefixes.HeadsOf(shape))
                for (int i = 0; i < shape.SegmentsFor(kept.Of(layer, head).Length); i++, segments++)
                {
                    (int slot, long offset) = kept.Packed.Of(layer, head, i);
                    long size = shape.Layers[layer].SegmentBytes;
                    Assert.InRange(slot, 0, kept.Slots - 1);
                    Assert.True(offset % size == 0 && offset + size <= shape.SlotBytes);
                    Assert.True(used.Add((slot, offset)));
                }
            Assert.Equal((segments, kept.Slots * shape.SlotBytes), (kept.Segments, kept.Bytes));
            Assert.Equal(kept.Slots, used.Select(place => place.Item1).Distinct().Count());
        }, iter: 500);

    [Fact]
    public void Budgets_hold_sinks_and_recent_ones_are_in_and_windows_keep_theirs() =>
        Gen.Select(Prefixes.Any, Prefixes.OneOf(s_policies), Gen.Int[1, 100], Gen.Bool, Gen.Int[0, 1000])
            .Sample((shape, form, budget, isShare, seed) =>
        {
            string policy = string.Format(null, form, isShare ? $"{budget}%" : $"{budget + 10}") + ",sinks=2,recent=5";
            if (Select(policy, shape, seed) is not { } kept)
                return;
            KeptPositions least = RetentionSelection.Select(Policy("window:5+2"), shape, null, null) ?? kept;
            if (isShare)
                Assert.InRange(kept.Bytes, 0, Math.Max(least.Bytes, shape.ExactBytes * budget / 100));
            else if (shape.Layers.Select(layer => layer.Selects ? layer.KvHeads : 0).Where(heads => heads > 0).Distinct().Count() == 1)
                Assert.Equal(Selecting(shape).Sum(_ => Math.Min(shape.Positions, budget + 10)),
                    Selecting(shape).Sum(head => kept.Of(head.Layer, head.Head).Length));
            Assert.Equal(Counts(kept).Sum(count => (long)count), kept.Total);
            foreach ((int layer, int head) in Prefixes.HeadsOf(shape))
                Check(shape, kept.Of(layer, head).ToArray(), shape.Layers[layer]);
            Assert.Equal(All(kept), All(Select(policy, shape, seed)!));
        }, iter: 700);

    static void Check(RetentionShape shape, int[] positions, RetainedLayer layer)
    {
        Assert.Equal(positions.Order().Distinct(), positions);
        int n = shape.Positions;
        if (!layer.Selects)
            Assert.Equal(Enumerable.Range(0, n).TakeLast(layer.Keeps), positions);
        else
            Assert.Superset(Enumerable.Range(0, n).Where(i => i < 2 || i >= n - 5).ToHashSet(), positions.ToHashSet());
    }

    /// <summary>
    /// What is taken is what somebody takes who goes through all positions from the best to the worst, pays for a segment when a
    /// head has none open, and leaves what costs too much.
    /// </summary>
    [Fact]
    public void The_best_are_taken_while_the_bytes_last() =>
        Gen.Select(Prefixes.Any, Gen.Int[1, 99], Gen.Int[0, 1000]).Sample((shape, share, seed) =>
        {
            if (Select($"replay:{share}%,sinks=2,recent=5", shape, seed) is not { } kept)
                return;
            Assert.Equal(Greedy(shape, Prefixes.Scores(shape, seed), share), Counts(kept));
        }, iter: 500);

    static int[] Greedy(RetentionShape shape, RetentionScores scores, int share)
    {
        (int Layer, int Head)[] heads = [.. Prefixes.HeadsOf(shape)];
        int[] counts = [.. heads.Select(head =>
            Math.Min(shape.Positions, shape.Layers[head.Layer] is { Selects: false, Keeps: var keeps } ? keeps : 7))];
        long slots = Math.Max(Slots(), shape.ExactBytes * share / 100 / shape.SlotBytes);
        foreach ((int head, int position, float _) in heads.Index().Where(head => shape.Layers[head.Item.Layer].Selects)
            .SelectMany(head => Enumerable.Range(2, Math.Max(0, shape.Positions - 7)).Select(position =>
                (head.Index, position, Score: scores.Of(head.Item.Layer, head.Item.Head)[position])))
            .OrderByDescending(item => item.Score).ThenBy(item => item.Index).ThenBy(item => item.position))
        {
            counts[head]++;
            if (Slots() > slots)
                counts[head]--;
        }
        return counts;

        long Slots() => heads.Zip(counts).GroupBy(head => shape.Layers[head.First.Layer].SegmentBytes).Sum(size =>
        {
            long perSlot = shape.SlotBytes / size.Key;
            return (size.Sum(head => shape.SegmentsFor(head.Second)) + perSlot - 1) / perSlot;
        });
    }

    [Fact]
    public void A_larger_budget_keeps_what_a_smaller_one_does() =>
        Gen.Select(Gen.Int[1, 4], Gen.Int[1, 4], Gen.Int[50, 400], Prefixes.OneOf("uniform", "global"), Gen.Int[1, 93], Gen.Int[1, 93],
            Gen.Bool, Gen.Int[0, 1000]).Sample((layers, heads, positions, schedule, a, b, isShare, seed) =>
        {
            RetentionShape shape = Prefixes.Even(layers, heads, positions, layers * heads * Prefixes.Segment + 500);
            string unit = isShare ? "%" : "";
            KeptPositions? less = Select($"{schedule}:{Math.Min(a, b) + 7}{unit}" + ",sinks=2,recent=5", shape, seed),
                more = Select($"{schedule}:{Math.Max(a, b) + 7}{unit}" + ",sinks=2,recent=5", shape, seed);
            if (less is null || more is null)
                return;
            Assert.Superset(All(less).ToHashSet(), All(more).ToHashSet());
        }, iter: 500);

    static IEnumerable<(int, int, int)> All(KeptPositions kept) => Prefixes.HeadsOf(kept.Shape)
        .SelectMany(head => kept.Of(head.Layer, head.Head).ToArray().Select(position => (head.Layer, head.Head, position)));

    static IEnumerable<(int Layer, int Head)> Selecting(RetentionShape shape) =>
        Prefixes.HeadsOf(shape).Where(head => shape.Layers[head.Layer].Selects);

    [Fact]
    public void Random_positions_are_spread_and_always_the_same()
    {
        RetentionShape shape = Prefixes.Even(6, 2, 2048);
        KeptPositions kept = RetentionSelection.Select(Policy("random:25%"), shape, null, null)!;
        int[] kept00 = kept.Of(0, 0).ToArray(), kept51 = kept.Of(5, 1).ToArray();
        Assert.InRange(kept00.Average(), 900, 1150);
        Assert.InRange(kept00.Intersect(kept51).Count(), 36, 220); // by chance about a quarter of a quarter
    }

    [Fact]
    public void What_is_missing_or_too_large_is_said()
    {
        RetentionShape shape = Prefixes.Even(1, 1, 600), large = Prefixes.Even(1, 1, 600, 4096, 4160);
        Says("no scores", "25%", shape);
        Says("no kinds of heads", "fastgen:0.9", shape);
        Says("a segment of 4160 bytes, expected at most the 4096 of a slot", "window:40", large);

        static void Says(string message, string policy, RetentionShape shape) =>
            Assert.Contains(message, Assert.Throws<ArgumentException>(
                () => RetentionSelection.Select(Policy(policy), shape, null, null)).Message, StringComparison.Ordinal);
    }
}
