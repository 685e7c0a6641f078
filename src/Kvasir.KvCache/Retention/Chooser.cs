namespace Kvasir.KvCache.Retention;

/// <summary>One choice: ranks the positions of heads, divides the budget and takes the best.</summary>
sealed class Chooser
{
    const double Floor = .2; // α of AdaKV

    readonly RetentionPolicy _policy;
    readonly RetentionShape _shape;
    readonly RankedHead[][] _layers; // those that select
    readonly RankedHead[] _heads;
    readonly int[] _firstHeads;

    public Chooser(RetentionPolicy policy, RetentionShape shape, RetentionScores? scores, FastGenHead[][]? fastGen)
    {
        (_policy, _shape, _firstHeads) = (policy, shape, shape.FirstHeads());
        int unit = RetentionSelection.Unit(policy, shape);
        _layers = [.. Enumerable.Range(0, shape.Layers.Length)
            .Where(layer => shape.Layers[layer] is { Selects: true, KvHeads: > 0 })
            .Select(layer => Enumerable.Range(0, shape.Layers[layer].KvHeads).Select(head => new RankedHead(
                policy, shape.Positions, unit, (layer, head, _firstHeads[layer] + head), scores?.Row(layer, head), fastGen?[layer][head]))
                .ToArray())];
        _heads = [.. _layers.SelectMany(heads => heads)];
    }

    public int[][] Choose()
    {
        if (_policy.Budget is null)
            foreach (RankedHead head in _heads)
                head.Units = head.Limits.Required;
        else if (_policy.Schedule == RetentionSchedule.Global)
            TakeBest(Allowed(_policy.Budget));
        else
            foreach ((RankedHead[] heads, long units) in _layers.Zip(Budgets().Of(_policy.Budget)))
                Divide(heads, units);
        return Kept();
    }

    Allowance Allowed(RetentionBudget budget)
    {
        if (budget is RetentionBudget.Tokens tokens)
            return new Allowance(_heads.Sum(head => (long)tokens.PerHead - head.Limits.Least));
        var sizes = SegmentSizes.OfWindows(_shape);
        foreach (RankedHead head in _heads)
            sizes.Take(head.Limits.Layer, head.Limits.Least);
        return new Allowance(sizes, Math.Max(sizes.Slots, RetentionSelection.Slots(budget, _shape)));
    }

    LayerBudgets Budgets() => new(_policy, _shape, [.. _layers.Select(heads => heads.Select(head => head.Limits).ToArray())]);

    /// <summary>
    /// Divides a layer's units among its heads: equally, by AdaKV, or with FastGen none more than it needs, and then what is left by mass.
    /// </summary>
    void Divide(RankedHead[] heads, long units)
    {
        bool isFastGen = _policy.Scorer == RetentionScorer.FastGen, isShared = !isFastGen && _policy.Schedule == RetentionSchedule.Layer;
        if (isShared)
            Take(heads, Left(), head => head.Limits.Most, head => head.NextByScore);
        double floor = isShared ? Floor : 1, mean = (double)units / heads.Length;
        long[] most = [.. heads.Select(head => (long)(isFastGen ? head.Limits.Required : head.Limits.Most))];
        double[] weights = [.. heads.Select(head => (1 - floor) * head.Units + floor * mean)];
        long[] each = LargestRemainder.Split(
            Math.Min(units, most.Sum()), weights, [.. heads.Select(head => (long)head.Limits.Least)], most);
        for (int i = 0; i < heads.Length; i++)
            heads[i].Units = (int)each[i];
        if (isFastGen)
            Take(heads, Left(), head => head.Limits.Most, Mass);

        Allowance Left() => new(units - heads.Sum(head => (long)head.Units));
    }

    /// <summary>Takes the best of all heads: with FastGen first what they need, by mass per byte; without it by score.</summary>
    void TakeBest(Allowance left)
    {
        bool isFastGen = _policy.Scorer == RetentionScorer.FastGen;
        if (isFastGen)
            Take(_heads, left, head => head.Limits.Required, Mass);
        Take(_heads, left, head => head.Limits.Most, isFastGen ? Mass : head => head.NextByScore);
    }

    ulong Mass(RankedHead head) => head.NextByMass(_shape.Layers[head.Limits.Layer].SegmentBytes);

    static void Take(RankedHead[] heads, Allowance left, Func<RankedHead, int> most, Func<RankedHead, ulong> key)
    {
        var queue = new PriorityQueue<RankedHead, ulong>();
        foreach (RankedHead head in heads)
            if (head.Units < most(head))
                queue.Enqueue(head, key(head));
        while (queue.TryDequeue(out RankedHead? head, out _))
            if (left.TryTake(head.Limits.Layer) && ++head.Units < most(head)) // a head that is refused once would be refused later too
                queue.Enqueue(head, key(head));
    }

    int[][] Kept()
    {
        int[][] kept = new int[_firstHeads[^1]][];
        for (int layer = 0; layer < _shape.Layers.Length; layer++)
            for (int head = 0; head < _shape.Layers[layer].KvHeads; head++)
                kept[_firstHeads[layer] + head] = _shape.Layers[layer].Selects ? [] : Window(_shape.Layers[layer].Keeps);
        foreach (RankedHead head in _heads)
            kept[head.Index] = head.Kept();
        return kept;
    }

    int[] Window(int keeps)
    {
        int first = Math.Max(0, _shape.Positions - keeps);
        return [.. Enumerable.Range(first, _shape.Positions - first)];
    }
}
