using Kvasir.Cli.Verbs.Simulate.Reports;

namespace Kvasir.Cli.Verbs.Simulate.Html;

/// <summary>What came of a simulation in two plain sentences.</summary>
static class Headline
{
    const double Month = 30 * 86_400, Least = 0.01;

    public static string Title(SimulateReport report)
    {
        Outcome outcome = report.Outcome;
        if (outcome.SavedShare < Least / 10)
            return outcome.SavedS < 0
                ? $"The cache cost more than it saved: {Duration.Text(-outcome.SavedS)} of machine time"
                : "The cache saved nothing worth the name";
        string money = report.Fleet.PricePerHour > 0 ? $", worth {outcome.MoneySaved:N2}" : "";
        return $"The cache spared the machines {outcome.SavedShare:P0} of their work on prompts: {Words(outcome.SavedS)}{money}";
    }

    public static string Lead(SimulateReport report)
    {
        Outcome outcome = report.Outcome;
        string found = $"Of {Count(report.Trace.PromptTokens)} prompt tokens, {outcome.TokenHitRate:P0} had been computed before and were "
            + $"still there.";
        double missing = outcome.InfiniteBlockHitRate - outcome.BlockHitRate;
        return missing < Least
            ? $"{found} More room would hardly help: even a cache without limit would find only {Math.Max(0, missing) * 100:0.0} % more of "
                + $"the blocks."
            : $"{found} A cache without limit would have found {outcome.InfiniteBlockHitRate:P0} of the blocks, and not "
                + $"{outcome.BlockHitRate:P0}{Belady(outcome)}.";
    }

    static string Belady(Outcome outcome) => outcome.BeladyBlockHitRate is { } belady
        ? $"; with the same room, one that knows the future {belady:P0}"
        : "";

    /// <summary>What would be saved in a month that is all like this; null when the trace is too short to say.</summary>
    public static double? PerMonth(SimulateReport report) => report.Trace.Seconds >= 600
        ? report.Outcome.MoneySaved * Month / report.Trace.Seconds
        : null;

    /// <summary>A large number as people say it.</summary>
    public static string Count(double number) => number switch
    {
        >= 999.5e9 => $"{number / 1e12:0.0} trillion",
        >= 999.5e6 => $"{number / 1e9:0.0} billion",
        >= 999.5e3 => $"{number / 1e6:0.0} million",
        _ => $"{number:N0}",
    };

    static string Words(double seconds) => seconds switch
    {
        < 120 => $"{seconds:0.#} seconds",
        < 7200 => $"{seconds / 60:0} minutes",
        < 48 * 3600 => $"{seconds / 3600:0.0} hours",
        _ => $"{seconds / 86_400:0.0} days",
    };
}
