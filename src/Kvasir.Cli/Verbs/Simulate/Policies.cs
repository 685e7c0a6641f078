using System.Collections.Immutable;
using System.Globalization;
using Kvasir.Cli.Verbs.Simulate.Reports;
using Kvasir.Formats;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;

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

    public static PolicyReport Run(
        Trace trace, PrefillCost cost, ImmutableArray<int> rooms, double judgedFrom, CancellationToken cancellation)
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
