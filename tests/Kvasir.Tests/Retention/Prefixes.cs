using CsCheck;
using Kvasir.KvCache.Retention;

namespace Kvasir.Tests.Retention;

/// <summary>Prefixes and scores to choose from.</summary>
static class Prefixes
{
    public const int SegmentSlots = 16, Slot = 24_576, Segment = 16 * 128; // saga in f16

    /// <summary>Layers of the same shape that all select.</summary>
    public static RetentionShape Even(int layers, int heads, int positions, long slot = Slot, long segment = Segment) => new(
        [.. Enumerable.Repeat(new RetainedLayer(heads, segment, true, 0), layers)], positions, SegmentSlots, slot,
        (positions + SegmentSlots - 1L) / SegmentSlots * slot);

    /// <summary>Windowed layers, layers without rows of their own, and segments of two sizes among them.</summary>
    public static Gen<RetentionShape> Any =>
        Gen.Select(Gen.Select(Gen.Int[0, 3], OneOf(1000, 1700), Gen.Int[0, 3], Gen.Int[0, 100],
            (heads, segment, selects, keeps) => new RetainedLayer(heads, segment, selects > 0, keeps)).Array[1, 6],
            Gen.Int[1, 300]).Where((layers, _) => layers.Any(layer => layer.KvHeads > 0)).Select((layers, positions) =>
        {
            long slot = Math.Max(4096, layers.Sum(layer => layer.KvHeads * (layer.SegmentBytes - 64)));
            return new RetentionShape([.. layers], positions, SegmentSlots, slot, (positions + 15) / 16 * slot);
        });

    public static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    /// <summary>Scores of which many are equal.</summary>
    public static RetentionScores Scores(RetentionShape shape, int seed)
    {
        var random = new Random(seed);
        var scores = new RetentionScores(shape);
        for (int layer = 0; layer < shape.Layers.Length; layer++)
            for (int head = 0; head < shape.Layers[layer].KvHeads; head++)
                foreach (ref float score in scores.Of(layer, head))
                    score = random.Next(4) == 0 ? random.Next(5) - 1 : random.NextSingle();
        return scores;
    }

    /// <summary>Heads that require what their seed says.</summary>
    public static FastGenHead[][] Heads(RetentionShape shape, int seed)
    {
        var random = new Random(seed);
        return [.. shape.Layers.Select(layer => Enumerable.Range(0, layer.KvHeads).Select(_ =>
        {
            double share = random.NextDouble();
            return random.Next(3) == 0
                ? new FastGenHead(FastGenClass.Full, [.. Enumerable.Range(0, shape.Positions)], 1)
                : new FastGenHead(FastGenClass.Frequent,
                    [.. Enumerable.Range(0, shape.Positions).Where(_ => random.NextDouble() < share)], share);
        }).ToArray())];
    }

    public static IEnumerable<(int Layer, int Head)> HeadsOf(RetentionShape shape) =>
        shape.Layers.SelectMany((layer, i) => Enumerable.Range(0, layer.KvHeads).Select(head => (i, head)));
}
