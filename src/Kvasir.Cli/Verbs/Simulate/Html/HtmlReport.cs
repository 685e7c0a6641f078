using System.Text;
using Kvasir.Cli.Verbs.Simulate.Reports;

namespace Kvasir.Cli.Verbs.Simulate.Html;

/// <summary>
/// One file that shows a simulation to anybody: without scripts, fonts or images from elsewhere, for light and dark screens and for paper.
/// First in plain words what came of it, then numbers, then how they came about.
/// </summary>
static class HtmlReport
{
    public static string Render(SimulateReport report) => new StringBuilder()
        .Append("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, "
            + "initial-scale=1\">")
        .Append("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">")
        .Append($"<title>Cache simulation: {HtmlText.Escape(report.Trace.Name)}</title><style>{Style()}</style></head><body><main>")
        .Append(Top(report))
        .Append(Sources.Section(report))
        .Append(TimeSections.HitRate(report))
        .Append(TimeSections.Ttft(report))
        .Append(report.Sweep is { Count: > 0 } points ? SweepSection.Render(points, report.Fleet.PricePerHour > 0) : "")
        .Append(Explanations.Tiers(report))
        .Append(Explanations.Store(report))
        .Append(Explanations.Nodes(report))
        .Append(Explanations.Assumed(report))
        .Append(Explanations.Glossary)
        .Append("</main></body></html>").ToString();

    static string Style()
    {
        using var reader = new StreamReader(typeof(HtmlReport).Assembly.GetManifestResourceStream("simulate-report.css")!);
        return reader.ReadToEnd();
    }

    static string Top(SimulateReport report) =>
        $"<p class=\"eyebrow\">Cache simulation · {HtmlText.Escape(report.Trace.Name)} · {report.Trace.Requests:N0} requests in {Duration.Text(report.Trace.Seconds)}</p>"
        + $"<h1>{HtmlText.Escape(Headline.Title(report))}</h1><p class=\"lead\">{HtmlText.Escape(Headline.Lead(report))}</p>"
        + (SimulateText.Overload(report) is { } warning
            ? $"<p class=\"warn\">Waiting times mean little here: {HtmlText.Escape(warning)}.</p>"
            : "")
        + $"<div class=\"tiles\">{string.Concat(Tiles(report).Select(tile => $"<div class=\"tile\"><span>{HtmlText.Escape(tile.Name)}</span><b>{HtmlText.Escape(tile.Value)}</b><small>{HtmlText.Escape(tile.Note)}</small></div>"))}</div>";

    static IEnumerable<(string Name, string Value, string Note)> Tiles(SimulateReport report)
    {
        Outcome outcome = report.Outcome;
        yield return ("Prompt tokens found", $"{outcome.TokenHitRate:P1}",
            $"{Headline.Count(report.Trace.PromptTokens * outcome.TokenHitRate)} of {Headline.Count(report.Trace.PromptTokens)} tokens");
        yield return ("Machine time saved", Duration.Text(outcome.SavedS),
            $"{outcome.SavedShare:P0} of {Duration.Text(outcome.PrefillWithoutS)} without a cache");
        if (report.Fleet.PricePerHour > 0)
            yield return ("Money saved", $"{outcome.MoneySaved:N2}", Headline.PerMonth(report) is { } month
                ? $"{month:N0} in 30 days that are all like this"
                : $"at {report.Fleet.PricePerHour:N2} a machine-hour");
        yield return ("First token, half", Duration.Text(outcome.TtftS.P50),
            $"of requests within this time; half waited no longer than {Duration.Text(outcome.QueueS.P50)} for a machine");
        yield return ("First token, 99 of 100", Duration.Text(outcome.TtftS.P99),
            $"of requests within this time; 9 of 10 within {Duration.Text(outcome.TtftS.P90)}");
        yield return ("Machines busy", $"{outcome.Load:P0}", $"of {Duration.Text(report.Trace.Seconds)} on "
            + $"{(report.Fleet.Nodes == 1 ? "1 machine" : $"{report.Fleet.Nodes:N0} machines")}, with prompts");
    }
}
