using System.Globalization;
using Kvasir.Formats;
using Kvasir.Planning.Simulation;
using Spectre.Console;

namespace Kvasir.Cli.Verbs.Simulate.Reports;

/// <summary>A fleet of a plan, as <c>plan --json</c> prints it. Tiers are those of one machine, the store and prices of all.</summary>
sealed record PlanLine(string? Change, int Machines, long HostBytes, long DiskBytes, long RemoteBytes, double TtftP90S, double Load,
    double TokenHitRate, double PrefillSavedS, double PricePerHour, bool IsEnough, ViewsOutcome? Views, StreamingOutcome? Streaming)
{
    public static PlanLine Of(PlannedFleet fleet, string? change = null) => new(
        change, fleet.Machines, fleet.HostBytes, fleet.DiskBytes, fleet.RemoteBytes, fleet.Ttft, fleet.Load, fleet.Result.TokenHitRate,
        fleet.Result.PrefillSecondsWithout - fleet.Result.PrefillSeconds, fleet.PricePerHour, fleet.IsEnough,
        ViewsOutcome.From(fleet.Result.Retention), StreamingOutcome.From(fleet.Result.Streaming));
}

/// <summary>What <c>plan --json</c> prints.</summary>
sealed record PlanReport(string Traffic, long Requests, double TrafficS, string Model, long DeviceBytes, long BytesPerToken,
    RetentionSummary? Retention, double TargetTtftS, PlanLine Best, PlanLine WithoutTiers,
    IReadOnlyList<PlanLine> Removals, IReadOnlyList<PlanLine> Sensitivity, IReadOnlyList<PlanLine> Tried, double InfiniteTokenShare)
{
    const int MostShown = 8;

    public static PlanReport Of(PlanOptions options, Plan plan, string model, RetentionSummary? retention) => new(
        options.Trace.Name, options.Trace.Requests.Count, options.Trace.Requests[^1].Arrival.TotalSeconds, model,
        options.Machine.Tiers[0].Bytes, options.Machine.BytesPerToken, retention, options.TargetTtft,
        PlanLine.Of(plan.Best), PlanLine.Of(plan.WithoutTiers), [.. plan.Removals.Select(each => PlanLine.Of(each.Fleet, each.Change))],
        [.. plan.Sensitivity.Select(each => PlanLine.Of(each.Fleet, each.Change))],
        [.. plan.Tried.Select(fleet => PlanLine.Of(fleet))], plan.Best.Result.References.Infinite);

    public void Print()
    {
        Say($"{Printable.Line(Traffic)}: {Requests:N0} requests in {Duration.Text(TrafficS)}");
        Say($"{Model}; {TierText.Room(DeviceBytes)} for keys and values beside the weights, {TierText.Room(BytesPerToken)} a token");
        if (Retention is not null)
            Say($"{Retention}");
        Say("");
        Say(Best.IsEnough
            ? $"recommended: {Fleet(Best)}, {Price(Best)} an hour; nine tenths of the requests begin to answer within "
                + $"{Duration.Text(Best.TtftP90S)} (asked: {Duration.Text(TargetTtftS)}), and machines are busy for {Best.Load:P0} of the time"
            : $"nothing that was tried is enough: at best {Fleet(Best)} begins nine tenths of its answers within "
                + $"{Duration.Text(Best.TtftP90S)} (asked: {Duration.Text(TargetTtftS)}); more machines, faster ones, or shorter prompts "
                + $"are needed");
        Say($"{Best.TokenHitRate:P1} of prompt tokens are found and not computed: {Duration.Text(Best.PrefillSavedS)} of prefill saved; a "
            + $"cache without limit would find {InfiniteTokenShare:P1} of blocks");
        if (Best != WithoutTiers)
            Say($"without host memory{(HasStore ? ", disks and store" : " and disks")}: {Fleet(WithoutTiers)}, "
                + $"{Price(WithoutTiers)} an hour, "
                + $"{Duration.Text(WithoutTiers.TtftP90S)}{(WithoutTiers.IsEnough ? $": {Share(WithoutTiers.PricePerHour - Best.PricePerHour, WithoutTiers.PricePerHour)} more" : ": not enough")}");
        if (Best.RemoteBytes > 0 && Removals.LastOrDefault(line => line.Change == "without the store") is { } without)
            Say($"the store saves {Duration.Text(Best.PrefillSavedS - without.PrefillSavedS)} of prefill and "
                + $"{without.PricePerHour - Best.PricePerHour:N2} an hour: without it, {Fleet(without)}, {Price(without)} an hour, "
                + $"{Duration.Text(without.TtftP90S)}{(without.IsEnough ? "" : ", not enough")}");
        if (Best.Views is { } views)
            Say($"{views}");
        if (Best.Streaming is { } streaming)
            Say($"{streaming}");
        Write("what each tier saves", Removals);
        Write("if something is different (the same machines)", Sensitivity);
        Write("the cheapest that were tried", [.. Tried.Take(MostShown)]);
    }

    bool HasStore => Tried.Any(line => line.RemoteBytes > 0);

    static string Share(double difference, double whole) => $"{difference / (whole - difference):P0}";

    void Write(string title, IReadOnlyList<PlanLine> lines)
    {
        if (lines.Count == 0)
            return;
        Table table = new Table().SimpleBorder().Title(title);
        string[] columns = [.. lines[0].Change is null ? [] : (string[])["change"], "machines", "host of each", "disk of each",
            .. HasStore ? (string[])["store"] : [], "tokens found", "TTFT 90 %", "load", "prefill saved", "price/h", "enough"];
        foreach (string column in columns)
            table.AddColumn(column is "change" or "enough" ? new TableColumn(column) : new TableColumn(column).RightAligned());
        foreach (PlanLine line in lines)
            table.AddRow([.. line.Change is { } change ? (string[])[Markup.Escape(change)] : [], $"{line.Machines:N0}",
                Room(line.HostBytes), Room(line.DiskBytes), .. HasStore ? (string[])[Room(line.RemoteBytes)] : [],
                $"{line.TokenHitRate:P1}", Duration.Text(line.TtftP90S), $"{line.Load:P0}",
                Duration.Text(line.PrefillSavedS), Price(line), line.IsEnough ? "yes" : "no"]);
        Terminal.Answers.Write(table);
    }

    static string Fleet(PlanLine line)
    {
        string machines = $"{line.Machines:N0} {(line.Machines == 1 ? "machine" : "machines")}";
        string host = line.HostBytes > 0 ? $", {Room(line.HostBytes)} of host memory" : "";
        string disk = line.DiskBytes > 0 ? $"{(line.HostBytes > 0 ? " and" : ",")} {Room(line.DiskBytes)} of disk" : "";
        return machines + host + disk + (line.Machines > 1 && line.HostBytes + line.DiskBytes > 0 ? " each" : "")
            + (line.RemoteBytes > 0 ? $", a store of {Room(line.RemoteBytes)}" : "");
    }

    static string Room(long bytes) => bytes == 0 ? "none" : TierText.Room(bytes);

    static string Price(PlanLine line) => line.PricePerHour.ToString("N2", CultureInfo.InvariantCulture);

    static void Say(string line) => Terminal.Answers.WriteLine(line);
}
