using System.Collections.Immutable;
using System.Globalization;
using Kvasir.Cli.Verbs.Simulate.Reports;
using Kvasir.Formats;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;
using Spectre.Console;

namespace Kvasir.Cli.Verbs.Simulate;

/// <summary><c>simulate --policies</c>: which blocks one tier should keep, by trying every policy in rooms of several sizes.</summary>
static class Policies
{
    const int MostBlocks = 1 << 28;

    /// <summary>Rooms, in blocks: a list with commas, of numbers and of ranges that double.</summary>
    public static ImmutableArray<int> Rooms(string text)
    {
        ImmutableArray<int> rooms = [.. text.Split(',').SelectMany(part => Range(text, part)).Distinct().Order()];
        return rooms.Length <= 32 ? rooms : throw Wrong(text, $"{rooms.Length} sizes, expected at most 32");
    }

    public static PolicyReport Run(Trace trace, PrefillCost cost, ImmutableArray<int> rooms, double judgedFrom, CancellationToken cancellation)
    {
        var replay = new PolicyReplay(trace, cost, judgedFrom);
        (string Policy, int Blocks)[] runs = [.. PolicyReplay.Policies.SelectMany(policy => rooms.Select(blocks => (policy, blocks)))];
        var outcomes = new PolicyOutcome[runs.Length];
        WorkProgress.Show("replaying", progress =>
        {
            int done = 0;
            Parallel.For(0, runs.Length,
                new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancellation }, i =>
                {
                    outcomes[i] = replay.Run(runs[i].Policy, runs[i].Blocks, cancellation);
                    progress.Report((double)Interlocked.Increment(ref done) / runs.Length);
                });
            return 0;
        });
        return new PolicyReport(trace.Name, trace.Requests.Count, trace.BlockTokens, judgedFrom, replay.Endless, [.. outcomes]);
    }

    static IEnumerable<int> Range(string text, string part)
    {
        string[] ends = part.Split("..", 2);
        int first = Blocks(text, ends[0]), last = Blocks(text, ends[^1]);
        if (last < first)
            throw Wrong(text, $"{Printable.Line(part)}, expected FIRST..LAST from less to more");
        for (long blocks = first; blocks <= last; blocks *= 2)
            yield return (int)blocks;
    }

    static int Blocks(string text, string number) =>
        int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int blocks) && blocks is >= 1 and <= MostBlocks ? blocks
        : throw Wrong(text, $"{Printable.Quote(number)}, expected a number of blocks from 1 to {MostBlocks:N0}");

    static UsageException Wrong(string text, string what) => new($"--policies {Printable.Quote(text)}: {what}");
}

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
