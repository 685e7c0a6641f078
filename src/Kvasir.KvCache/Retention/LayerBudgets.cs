namespace Kvasir.KvCache.Retention;

/// <summary>Units that all heads of a layer have together, for each layer that selects.</summary>
/// <param name="policy">The policy. Where it chooses among all layers, each has the same here.</param>
/// <param name="shape">The prefix.</param>
/// <param name="layers">The heads of each layer that selects.</param>
sealed class LayerBudgets(RetentionPolicy policy, RetentionShape shape, HeadLimits[][] layers)
{
    public long[] Of(RetentionBudget budget) =>
        budget is RetentionBudget.Tokens tokens ? OfTokens(tokens.PerHead) : OfSlots(RetentionSelection.Slots(budget, shape));

    /// <summary>Of so many positions of a head, on average over layers.</summary>
    long[] OfTokens(int perHead)
    {
        int least = Math.Min(shape.Positions, policy.Sinks + policy.Recent);
        long[] budgets = LargestRemainder.Split(Math.Max(perHead, least) * (long)layers.Length, Line(perHead),
            Same(least), Same(shape.Positions));
        return WithoutSlack([.. budgets.Select((budget, i) => budget * layers[i].Length)], [.. layers.Select(_ => 0)]);
    }

    /// <summary>Of so many slots of the pool, or those that cannot be avoided.</summary>
    long[] OfSlots(long slots)
    {
        SegmentSizes least = With(head => head.Least), most = With(head => head.Most), windows = SegmentSizes.OfWindows(shape);
        double[] weights = Weights(slots);
        int[] sizeOf = [.. layers.Select(heads => least.SizeOf(heads[0].Layer))];
        double[] bytes = new double[least.Count];
        for (int i = 0; i < layers.Length; i++)
            bytes[sizeOf[i]] += weights[i] * shape.Layers[layers[i][0].Layer].SegmentBytes;
        long[] bySize = LargestRemainder.Split(Math.Clamp(slots, least.Slots, most.Slots), bytes, least.SlotsBySize(), most.SlotsBySize());
        long[] budgets = new long[layers.Length];
        for (int size = 0; size < bySize.Length; size++)
            Divide(size, bySize[size] * least.PerSlot(size) - windows.Segments(size));
        return WithoutSlack(budgets, sizeOf);

        void Divide(int size, long segments)
        {
            int[] own = [.. Enumerable.Range(0, layers.Length).Where(i => sizeOf[i] == size)];
            long[] each = LargestRemainder.Split(Math.Min(segments, own.Sum(i => Sum(i, head => head.Most))),
                [.. own.Select(i => weights[i])],
                [.. own.Select(i => Sum(i, head => head.Least))], [.. own.Select(i => Sum(i, head => head.Most))]);
            for (int i = 0; i < own.Length; i++)
                budgets[own[i]] = each[i];
        }
    }

    /// <summary>
    /// With FastGen, layers whose heads require less than their budget hand what is left to those whose heads require more.
    /// </summary>
    /// <param name="budgets">Of each layer.</param>
    /// <param name="kinds">Budgets of the same kind are of the same unit.</param>
    long[] WithoutSlack(long[] budgets, int[] kinds)
    {
        for (int kind = 0; kind <= kinds.DefaultIfEmpty(-1).Max() && policy.Scorer == RetentionScorer.FastGen; kind++)
        {
            long[] over = [.. budgets.Select((budget, i) => kinds[i] == kind ? budget - Sum(i, head => head.Required) : 0)];
            long[] spare = [.. over.Select(of => Math.Max(0, of))], lack = [.. over.Select(of => Math.Max(0, -of))];
            long moved = Math.Min(spare.Sum(), lack.Sum());
            long[] taken = LargestRemainder.Split(moved, Doubles(spare), Same(0), spare);
            long[] given = LargestRemainder.Split(moved, Doubles(lack), Same(0), lack);
            for (int i = 0; i < budgets.Length; i++)
                budgets[i] += given[i] - taken[i];
        }
        return budgets;
    }

    double[] Line(double mean) => [.. LayerSlope.Line(policy.Schedule, layers.Length, Math.Max(0, mean - policy.Recent),
        Math.Max(0, shape.Positions - policy.Recent)).Select(of => of + policy.Recent)];

    double[] Weights(long slots)
    {
        long segment = layers.Sum(heads => heads.Length * shape.Layers[heads[0].Layer].SegmentBytes);
        double mean = (double)slots * shape.SlotBytes / Math.Max(1, segment) * shape.SegmentSlots;
        return [.. Line(Math.Min(mean, shape.Positions)).Select((of, i) => of * layers[i].Length)];
    }

    SegmentSizes With(Func<HeadLimits, int> units)
    {
        var sizes = SegmentSizes.OfWindows(shape);
        for (int i = 0; i < layers.Length; i++)
            sizes.Take(layers[i][0].Layer, Sum(i, units));
        return sizes;
    }

    long Sum(int layer, Func<HeadLimits, int> units) => layers[layer].Sum(head => (long)units(head));

    long[] Same(long value) => [.. layers.Select(_ => value)];

    static double[] Doubles(long[] values) => [.. values.Select(value => (double)value)];
}
