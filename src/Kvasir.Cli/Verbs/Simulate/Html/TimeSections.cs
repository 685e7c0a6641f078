using Kvasir.Cli.Verbs.Simulate.Reports;

namespace Kvasir.Cli.Verbs.Simulate.Html;

/// <summary>What happened when: shares found and times to the first token, in equal parts of the trace's time.</summary>
static class TimeSections
{
    public static string HitRate(SimulateReport report)
    {
        IReadOnlyList<TimelinePoint> points = report.Outcome.Timeline;
        string[] tiers = [.. report.Outcome.Tiers.Select(tier => tier.Tier)];
        double end = End(report);
        var chart = new Chart("Share of prompt tokens found, by tier, over time", 300, (0, end), 1);
        chart.YAxis(Tick.Shares(1), "of prompt tokens");
        for (int i = 0; i < points.Count; i++)
            Stack(chart, points[i], Until(points, i, end), tiers);
        Finish(chart, report, end);
        return HtmlText.Section("What was found, over time",
            "Each column is a part of the trace's time. Colours say which tier the tokens came from; what is left blank was computed.",
            HtmlText.Figure([.. tiers.Select(tier => (Sources.Colour(tier), tier))], chart.End()));
    }

    static void Stack(Chart chart, TimelinePoint point, double until, string[] tiers)
    {
        if (point.PromptTokens == 0)
            return;
        double low = 0;
        foreach ((string tier, long tokens) in tiers.Zip(point.HitTokens))
            chart.Column(point.FromS, until, low, low += (double)tokens / point.PromptTokens, Sources.Colour(tier));
        chart.Hover(point.FromS, until, $"from {Duration.Text(point.FromS)}: {point.Requests:N0} requests, {low:P1} found "
            + $"({string.Join(", ", tiers.Zip(point.HitTokens, (tier, tokens) => $"{tier} {(double)tokens / point.PromptTokens:P1}"))}), "
            + $"{point.Evictions:N0} blocks evicted");
    }

    public static string Ttft(SimulateReport report)
    {
        IReadOnlyList<TimelinePoint> points = report.Outcome.Timeline;
        double end = End(report),
            most = points.Where(point => point.Requests > 0).Select(point => point.TtftP50S).DefaultIfEmpty(0).Max() * 1.05;
        var chart = new Chart("Median time to first token over time", 260, (0, end), most);
        chart.YAxis(Tick.Times(most, 6), "median TTFT");
        Finish(chart, report, end);
        foreach (List<(double, double)> run in Runs(points, end))
            chart.Curve(run, "var(--s0)");
        for (int i = 0; i < points.Count; i++)
            if (points[i].Requests > 0)
                chart.Hover(points[i].FromS, Until(points, i, end), $"from {Duration.Text(points[i].FromS)}: half of "
                    + $"{points[i].Requests:N0} requests within {Duration.Text(points[i].TtftP50S)}");
        return HtmlText.Section("How long until the first token",
            "Of the requests that came in each part of the trace's time, half had to wait no longer than the line.",
            HtmlText.Figure([], chart.End()) + "<div style=\"height:12px\"></div>" + Quantiles(report.Outcome));
    }

    static string Quantiles(Outcome outcome) =>
        HtmlText.Table(["over the whole trace", "!half of requests within", "!9 of 10 within", "!99 of 100 within"],
        new[] { ("until the first token", outcome.TtftS), ("of it waiting for a machine", outcome.QueueS) }
            .Select(
                row => (string[])[row.Item1, Duration.Text(row.Item2.P50), Duration.Text(row.Item2.P90), Duration.Text(row.Item2.P99)]));

    /// <summary>The medians as steps, interrupted where no request came.</summary>
    static IEnumerable<List<(double, double)>> Runs(IReadOnlyList<TimelinePoint> points, double end)
    {
        List<(double, double)> run = [];
        for (int i = 0; i < points.Count; i++)
            if (points[i].Requests > 0)
                run.AddRange([(points[i].FromS, points[i].TtftP50S), (Until(points, i, end), points[i].TtftP50S)]);
            else
            {
                yield return run;
                run = [];
            }
        yield return run;
    }

    static void Finish(Chart chart, SimulateReport report, double end)
    {
        chart.XAxis(Tick.Times(end, 12), "time in the trace");
        foreach (FaultSummary fault in report.Fleet.Faults.Where(fault => fault.AtS <= end))
            chart.Moment(fault.AtS, fault.What);
    }

    static double Until(IReadOnlyList<TimelinePoint> points, int i, double end) => i + 1 < points.Count ? points[i + 1].FromS : end;

    /// <summary>End of the axis; a trace of one moment has one nevertheless.</summary>
    static double End(SimulateReport report) =>
        Math.Max(report.Trace.Seconds, report.Outcome.Timeline.Count == 0 ? 1 : report.Outcome.Timeline[^1].FromS * 1.001 + 1e-6);
}
