using Kvasir.Cli.Verbs.Simulate.Reports;

namespace Kvasir.Cli.Verbs.Simulate.Html;

/// <summary>What other fleets would have found.</summary>
static class SweepSection
{
    const int MostCurves = 8;
    const double Near = 0.01;

    public static string Render(IReadOnlyList<SweepPoint> points, bool hasPrice)
    {
        string? axis = points[0].Values.Keys.FirstOrDefault(name => points.Where(point => point.Numbers.ContainsKey(name))
            .Select(point => point.Numbers[name]).Where(IsFinite).Distinct().Count() > 1);
        int best = Best(points, axis);
        return HtmlText.Section("What other fleets would find", Advice(points, best),
            (axis is null ? "" : Curves(points, axis) + "<div style=\"height:12px\"></div>") + Table(points, best, hasPrice));
    }

    /// <summary>Unlimited room has no place on an axis.</summary>
    static bool IsFinite(double number) => number < long.MaxValue;

    /// <summary>The one with the least room, or the fewest machines, of those that are within one point of the best.</summary>
    static int Best(IReadOnlyList<SweepPoint> points, string? axis)
    {
        double most = points.Max(point => point.BlockHitRate);
        return Enumerable.Range(0, points.Count).Where(i => points[i].BlockHitRate >= most - Near)
            .OrderBy(i => axis is null ? 0 : points[i].Numbers.GetValueOrDefault(axis))
            .ThenByDescending(i => points[i].BlockHitRate).First();
    }

    static string Advice(IReadOnlyList<SweepPoint> points, int best)
    {
        SweepPoint most = points.MaxBy(point => point.BlockHitRate)!;
        return points[best].BlockHitRate >= most.BlockHitRate
            ? $"The most is found with {Name(points[best].Values)}: {points[best].BlockHitRate:P1} of the blocks."
            : $"Enough is {Name(points[best].Values)}: {points[best].BlockHitRate:P1} of the blocks, within one point of the most that any "
                + $"of these finds ({most.BlockHitRate:P1}, with {Name(most.Values)}).";
    }

    static string Curves(IReadOnlyList<SweepPoint> points, string axis)
    {
        SweepPoint[] placed = [.. points.Where(point => point.Numbers.TryGetValue(axis, out double number) && IsFinite(number))
            .OrderBy(point => point.Numbers[axis])];
        var curves = placed.GroupBy(point => Name(point.Values.Where(value => value.Key != axis))).Take(MostCurves).ToArray();
        IReadOnlyList<Tick> shares = Tick.Shares(
            placed.Max(point => Math.Max(point.BlockHitRate, Math.Max(point.InfiniteBlockHitRate, point.BeladyBlockHitRate ?? 0))) * 1.08);
        (double first, double last) = (placed[0].Numbers[axis], placed[^1].Numbers[axis]);
        var chart = new Chart($"Share of blocks found, by {axis}", 340, (first, last), Math.Min(1, shares[^1].Value), isLog: true);
        chart.YAxis(shares.Where(tick => tick.Value <= 1.001), "of blocks found");
        chart.XAxis(Tick.Some(
            [.. placed.DistinctBy(point => point.Numbers[axis]).Select(point => new Tick(point.Numbers[axis], point.Values[axis]))], 12),
            axis == "nodes" ? "machines" : $"room of the {axis} tier on each machine");
        References(chart, curves[0].ToArray(), axis, first, last);
        for (int i = 0; i < curves.Length; i++)
            Curve(chart, curves[i], axis, $"var(--s{i})");
        return HtmlText.Figure(curves.Length > 1 ? [.. curves.Select((curve, i) => ($"var(--s{i})", curve.Key))] : [], chart.End());
    }

    static void References(Chart chart, SweepPoint[] points, string axis, double first, double last)
    {
        double infinite = points[0].InfiniteBlockHitRate;
        chart.Rule([(first, infinite), (last, infinite)]);
        chart.Name(last, infinite, "a cache without limit");
        if (points.All(point => point.BeladyBlockHitRate is null))
            return;
        SweepPoint[] known = [.. points.Where(point => point.BeladyBlockHitRate is not null)];
        chart.Rule([.. known.Select(point => (point.Numbers[axis], point.BeladyBlockHitRate!.Value))]);
        SweepPoint named = known[known.Length / 3];
        chart.Name(named.Numbers[axis], named.BeladyBlockHitRate!.Value, "knows the future (Belady)");
    }

    static void Curve(Chart chart, IEnumerable<SweepPoint> points, string axis, string colour)
    {
        chart.Curve([.. points.Select(point => (point.Numbers[axis], point.BlockHitRate))], colour);
        foreach (SweepPoint point in points)
            chart.Dot(point.Numbers[axis], point.BlockHitRate, colour, $"{Name(point.Values)}: {point.BlockHitRate:P1} of blocks");
    }

    static string Table(IReadOnlyList<SweepPoint> points, int best, bool hasPrice)
    {
        string[] names = [.. points[0].Values.Keys];
        return HtmlText.Table([.. names, "!tokens found", "!blocks found", "!without limit", "!knows the future", "!TTFT, half",
            "!99 of 100", "!time saved", .. hasPrice ? ["!money saved"] : (string[])[], "!busy"],
            points.Select(point => (string[])[.. names.Select(name => point.Values[name]), $"{point.TokenHitRate:P1}",
                $"{point.BlockHitRate:P1}", $"{point.InfiniteBlockHitRate:P1}",
                point.BeladyBlockHitRate is { } belady ? $"{belady:P1}" : "–",
                Duration.Text(point.TtftS.P50), Duration.Text(point.TtftS.P99), Duration.Text(point.SavedS),
                .. hasPrice ? [$"{point.MoneySaved:N2}"] : (string[])[], $"{point.Load:P0}"]), best);
    }

    static string Name(IEnumerable<KeyValuePair<string, string>> values) =>
        string.Join(", ", values.Select(value => $"{value.Key} {value.Value}"));
}
