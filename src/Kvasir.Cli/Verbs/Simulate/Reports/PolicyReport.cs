using System.Collections.Immutable;
using Kvasir.Formats;
using Kvasir.Planning.Simulation;
using Spectre.Console;

namespace Kvasir.Cli.Verbs.Simulate.Reports;

/// <summary>Policies beside each other.</summary>
/// <param name="Trace">The requests' name.</param>
/// <param name="Requests">How many there are.</param>
/// <param name="BlockTokens">Tokens of a block.</param>
/// <param name="JudgedFrom">Share of the requests after which what is found counts.</param>
/// <param name="Endless">What room without limit finds.</param>
/// <param name="Outcomes">What each policy found in each room.</param>
sealed record PolicyReport(string Trace, int Requests, int BlockTokens, double JudgedFrom, PolicyOutcome Endless,
    ImmutableArray<PolicyOutcome> Outcomes)
{
    public void Print()
    {
        string from = JudgedFrom > 0 ? $", judged by those after the first {JudgedFrom:P0}" : "";
        Terminal.Answers.WriteLine($"{Printable.Line(Trace)}: {Requests:N0} requests, blocks of {BlockTokens:N0} tokens{from}");
        Terminal.Answers.WriteLine("blocks found with all before them, in a tier of so many blocks:");
        int[] rooms = [.. Outcomes.Select(outcome => outcome.Blocks).Distinct()];
        Table table = SimulateText.Columns(["policy", .. rooms.Select(room => $"!{room:N0}"), "!ns/block"]);
        foreach (IGrouping<string, PolicyOutcome> policy in Outcomes.GroupBy(outcome => outcome.Policy))
            table.AddRow([policy.Key, .. policy.Select(outcome => $"{outcome.Share:P1}"),
                policy.First().IsForeseen ? "" : $"{1e9 * policy.Average(outcome => outcome.SecondsPerBlock):N0}"]);
        Terminal.Answers.Write(table);
        Terminal.Answers.WriteLine($"room without limit finds {Endless.Share:P1}; belady and belady-cost know the future, and the second "
            + "keeps what takes longest to compute");
    }
}
