using System.Collections.Immutable;

namespace Kvasir.KvCache.Retention;

/// <summary>How much a view keeps.</summary>
/// <param name="Positions">Positions of all heads of each layer together.</param>
/// <param name="Slots">Slots of the pool.</param>
public sealed record RetentionEstimate(ImmutableArray<long> Positions, long Slots)
{
    internal static RetentionEstimate Of(RetentionPolicy policy, RetentionShape shape, double? fastGenShare)
    {
        int unit = RetentionSelection.Unit(policy, shape), n = shape.Positions, always = Math.Min(n, policy.Sinks + policy.Recent);
        int required = policy is not { Scorer: RetentionScorer.FastGen, Budget: null } ? always
            : fastGenShare is { } share ? Math.Clamp((int)Math.Ceiling(share * n), always, n)
            : throw new ArgumentException($"retention {policy}: what FastGen keeps depends on the text, expected the share that was measured");
        int least = HeadLimits.Units(always, unit), most = HeadLimits.Units(n, unit);
        int[] choosing = [.. Enumerable.Range(0, shape.Layers.Length).Where(i => shape.Layers[i] is { Selects: true, KvHeads: > 0 })];
        HeadLimits[][] limits =
            [.. choosing.Select(i => Enumerable.Repeat(new HeadLimits(i, least, least, most), shape.Layers[i].KvHeads).ToArray())];
        long[] budgets = policy.Budget is { } budget
            ? new LayerBudgets(policy, shape, limits).Of(budget)
            : [.. choosing.Select(i => (long)required * shape.Layers[i].KvHeads)];
        return InLayers(shape, choosing, budgets, unit);
    }

    /// <summary>Heads of a layer have the same, but for the first ones, which have one unit more.</summary>
    static RetentionEstimate InLayers(RetentionShape shape, int[] choosing, long[] budgets, int unit)
    {
        var sizes = SegmentSizes.OfWindows(shape);
        long[] positions = [.. shape.Layers.Select(layer =>
            layer.Selects ? 0L : (long)layer.KvHeads * Math.Min(layer.Keeps, shape.Positions))];
        for (int i = 0; i < choosing.Length; i++)
        {
            (long each, long more) = Math.DivRem(budgets[i], shape.Layers[choosing[i]].KvHeads);
            Add(choosing[i], shape.Layers[choosing[i]].KvHeads - more, each);
            Add(choosing[i], more, each + 1);
        }
        return new RetentionEstimate([.. positions], sizes.Slots);

        void Add(int layer, long heads, long units)
        {
            int of = (int)Math.Min(shape.Positions, units * unit);
            positions[layer] += heads * of;
            sizes.Take(layer, heads * shape.SegmentsFor(of));
        }
    }
}
