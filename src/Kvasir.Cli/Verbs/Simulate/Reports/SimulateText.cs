using Kvasir.Formats;
using Kvasir.Formats.Quantization;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces.Generators;
using Spectre.Console;

namespace Kvasir.Cli.Verbs.Simulate.Reports;

/// <summary>What <c>simulate</c> prints for people.</summary>
static class SimulateText
{
    const int MostNodes = 16;

    public static void Print(SimulateReport report)
    {
        (TraceSummary trace, Outcome outcome) = (report.Trace, report.Outcome);
        Terminal.Answers.WriteLine($"{Printable.Line(trace.Name)}: {trace.Requests:N0} requests, {trace.PromptTokens:N0} prompt tokens in "
            + $"{Duration.Text(trace.Seconds)}, blocks of {trace.BlockTokens:N0} tokens");
        if (report.Model is { } model)
            Terminal.Answers.WriteLine(model);
        if (report.Retention is { } retention)
            Terminal.Answers.WriteLine($"{retention}");
        Terminal.Answers.WriteLine(Describe(report.Fleet));
        foreach (FaultSummary fault in report.Fleet.Faults)
            Terminal.Answers.WriteLine($"after {Duration.Text(fault.AtS)}: {fault.What}");
        Terminal.Answers.Write(TierTable(report));
        if (NodeTable(report) is { } nodes)
            Terminal.Answers.Write(nodes);
        if (outcome.Views is { } views)
            Terminal.Answers.WriteLine($"{views}");
        if (outcome.Streaming is { } streaming)
            Terminal.Answers.WriteLine($"{streaming}");
        if (outcome.Store is { } store)
            Terminal.Answers.WriteLine(Describe(store, report.Fleet.Store!.HasPrice));
        Terminal.Answers.WriteLine($"found {outcome.TokenHitRate:P1} of tokens, {outcome.BlockHitRate:P1} of blocks; a cache without limit "
            + $"{outcome.InfiniteBlockHitRate:P1}{Belady(outcome.BeladyBlockHitRate)}");
        foreach (LossPoint loss in outcome.Losses)
            Terminal.Answers.WriteLine($"loss after {Duration.Text(loss.AtS)}: {loss.TokenHitRateBefore:P1} of tokens found in the "
                + $"{Duration.Text(loss.WindowS)} before, {loss.TokenHitRateAfter:P1} in those after{InFlight(outcome)}");
        Terminal.Answers.WriteLine($"TTFT {Quantiles(outcome.TtftS)}; of it waiting for a machine {Quantiles(outcome.QueueS)}");
        Terminal.Answers.WriteLine($"prefill {Duration.Text(outcome.PrefillS)} instead of {Duration.Text(outcome.PrefillWithoutS)}, "
            + $"restoring {Duration.Text(outcome.RestoreS)}: {Saved(report)}");
        if (Overload(report) is { } overload)
            Terminal.Answers.WriteLine(overload);
        if (report.Sweep is { } points)
            Terminal.Answers.Write(SweepTable(points, report.Fleet.PricePerHour > 0));
    }

    /// <summary>What a made trace can be told.</summary>
    public static int Print(Workload workload)
    {
        Terminal.Answers.WriteLine($"{workload.Name}: {workload.Description}");
        Table table = Columns("parameter", "!without it", "!least", "!most", "what");
        foreach (WorkloadParameter parameter in workload.Parameters)
            table.AddRow(parameter.Name, $"{parameter.Default:#,0.####}", $"{parameter.Least:#,0.####}",
                $"{parameter.Most:#,0.####}", parameter.Description);
        Terminal.Answers.Write(table);
        return ExitCode.Ok;
    }

    public static string Describe(FleetSummary fleet) =>
        $"{Machines(fleet)}: {string.Join(", ", fleet.Tiers.Select(tier => $"{tier.Tier} {tier.Room} ({tier.Policy})"))}; "
        + $"{TierText.Room(fleet.BytesPerToken)} a token, prefill {fleet.PrefillTokensPerS:N0} "
        + $"tok/s{(fleet.Instant ? ", blocks at once" : "")}"
        + (fleet.PrefixOnly ? ", nothing behind a hole is used" : "");

    static string Machines(FleetSummary fleet)
    {
        string answer = fleet.Nodes == 1 ? "1 machine" : $"{fleet.Nodes:N0} machines",
            split = fleet.Peers is not { } peers ? "" : $" that answer and {fleet.PrefillNodes:N0} that compute prompts "
                + $"({ByteSize.Text((long)peers.BytesPerS)}/s, {Duration.Text(peers.LatencyS)} away)";
        return answer + split + (fleet.Nodes + fleet.PrefillNodes == 1 ? "" : $", {fleet.Placement}")
            + (fleet.Routers > 1 ? $" by {fleet.Routers} routers" : "");
    }

    static string InFlight(Outcome outcome) => outcome.Resent + outcome.CutAnswers == 0 ? ""
        : $"; in all {outcome.Resent:N0} requests sent again, {outcome.CutAnswers:N0} answers cut";

    /// <summary>A warning where waiting grows without end, so that nobody takes those times for the cache's fault.</summary>
    public static string? Overload(SimulateReport report) => report.Outcome.Load <= 1 || report.Fleet.Instant ? null
        : $"the machines are overloaded: they need {report.Outcome.Load:0.0#} times the trace's time, so waiting grows to its end. About "
            + $"{Math.Ceiling(report.Outcome.Load * (report.Fleet.Nodes + report.Fleet.PrefillNodes) / 0.8):N0} machines would keep up";

    static string Saved(SimulateReport report) => report.Outcome.SavedS >= 0
        ? $"{Duration.Text(report.Outcome.SavedS)} saved "
            + $"({report.Outcome.SavedShare:P1}){(report.Fleet.PricePerHour > 0 ? $", worth {report.Outcome.MoneySaved:N2}" : "")}"
        : $"{Duration.Text(-report.Outcome.SavedS)} lost";

    static string Belady(double? rate) => rate is { } share ? $", one that knows the future {share:P1}" : "";

    static string Quantiles(Quantiles seconds) =>
        $"{Duration.Text(seconds.P50)} (half), {Duration.Text(seconds.P90)} (90 %), {Duration.Text(seconds.P99)} (99 %)";

    static Table TierTable(SimulateReport report)
    {
        Table table = Columns("tokens from", "!tokens", "!of prompts", "!blocks", "!written", "!read", "!written/read",
            "!evicted", "!resident", "!unreachable");
        foreach (TierOutcome tier in report.Outcome.Tiers)
            table.AddRow(tier.Tier, $"{tier.HitTokens:N0}", $"{tier.TokenShare:P1}", $"{tier.HitBlocks:N0}",
                ByteSize.Text(tier.BytesWritten), ByteSize.Text(tier.BytesRead),
                tier.WrittenPerHit is { } written ? $"{written:0.00}" : "", $"{tier.Evictions:N0}",
                $"{tier.Resident:N0}", $"{tier.Unreachable:N0}");
        long computed = report.Trace.PromptTokens - report.Outcome.Tiers.Sum(tier => tier.HitTokens);
        table.AddRow("computed", $"{computed:N0}", $"{1 - report.Outcome.TokenHitRate:P1}", "", "", "", "", "", "");
        return table;
    }

    /// <summary>What each machine found; null of one, or of very many.</summary>
    static Table? NodeTable(SimulateReport report)
    {
        if (report.Outcome.Nodes.Count is < 2 or > MostNodes)
            return null;
        Table table = Columns(["machine", "!requests", "!prompt tokens", "!found", .. report.Outcome.Tiers.Select(tier => $"!{tier.Tier}"),
            .. report.Fleet.PrefillNodes > 0 ? (string[])["!from peers"] : [], "!prefill", "!waited for tiers"]);
        foreach ((int number, NodeOutcome node) in report.Outcome.Nodes.Index())
            table.AddRow([$"{number}", $"{node.Requests:N0}", $"{node.PromptTokens:N0}", $"{node.TokenHitRate:P1}",
                .. node.TokenShares.Values.Select(share => $"{share:P1}"),
                .. report.Fleet.PrefillNodes > 0 ? (string[])[number < report.Fleet.Nodes ? $"{node.PeerTokens:N0}" : "computes"] : [],
                Duration.Text(node.PrefillS), Duration.Text(node.RestoreS)]);
        return table;
    }

    static string Describe(StoreResult store, bool hasPrice) =>
        $"store: {ByteSize.Text(store.BytesRead)} read, {ByteSize.Text(store.BytesWritten)} written, at most "
            + $"{ByteSize.Text(store.PeakBytes)} there; {store.Requests:N0} requests, {store.RequestsPerS:N1} a second, "
            + $"{store.MostRequestsPerS:N0} in the busiest; {store.TooLate:N0} times too late, {store.DroppedBlocks:N0} blocks dropped"
            + (hasPrice ? $"; it costs {store.Price:N2}" : "");

    static Table SweepTable(IReadOnlyList<SweepPoint> points, bool hasPrice)
    {
        string[] names = [.. points[0].Values.Keys];
        Table table = Columns([.. names, "!tokens found", "!blocks found", "!without limit", "!knows future", "!TTFT half", "!90 %",
            "!99 %", "!saved", .. hasPrice ? ["!worth"] : (string[])[], "!load"]);
        foreach (SweepPoint point in points)
            table.AddRow([.. names.Select(name => point.Values[name]), $"{point.TokenHitRate:P1}", $"{point.BlockHitRate:P1}",
                $"{point.InfiniteBlockHitRate:P1}",
                point.BeladyBlockHitRate is { } belady ? $"{belady:P1}" : "", Duration.Text(point.TtftS.P50),
                Duration.Text(point.TtftS.P90), Duration.Text(point.TtftS.P99),
                Duration.Text(point.SavedS), .. hasPrice ? [$"{point.MoneySaved:N2}"] : (string[])[], $"{point.Load:0.00}"]);
        return table;
    }

    /// <summary>A table; columns whose names begin with ! are numbers.</summary>
    internal static Table Columns(params string[] names)
    {
        Table table = new Table().SimpleBorder();
        foreach (string name in names)
            table.AddColumn(name[0] == '!' ? new TableColumn(name[1..]).RightAligned() : new TableColumn(name));
        return table;
    }
}
