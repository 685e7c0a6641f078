using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Drafting;
using Kvasir.Inference.Measurement.Speed;
using Spectre.Console;

namespace Kvasir.Cli.Verbs;

/// <summary>What <c>bench --speculative --json</c> prints: replayed answers with guesses and without, by turns.</summary>
sealed record BenchDrafts(string Model, int Threads, string Mode, IReadOnlyList<BenchDraftsRow> Tests)
{
    public static BenchDrafts Measure(
        InferenceEngine engine, int threads, SpeculativeMode mode, int prompt, int tokens, int runs, CancellationToken cancellation)
    {
        List<BenchDraftsRow> rows = [];
        foreach (ReplayedAnswer answer in ReplayedAnswer.All(engine.Model.Config.Vocabulary, prompt, tokens))
        {
            double[] plain = new double[runs], drafted = new double[runs];
            DraftUse? use = null;
            for (int run = -1; run < runs; run++) // the first warms up, and computes the prompt for all
            {
                double without = DraftSpeed.Run(engine, answer, SpeculativeMode.Off, cancellation).TokensPerS;
                (double with, use) = DraftSpeed.Run(engine, answer, mode, cancellation);
                if (run >= 0)
                    (plain[run], drafted[run]) = (without, with);
                Terminal.Line($"{answer.Name}, {run + 1} of {runs}: {without:N1} and {with:N1} tok/s");
            }
            double plainly = Percentile.Median(plain), guessed = Percentile.Median(drafted);
            rows.Add(new BenchDraftsRow(answer.Name, plainly, guessed, guessed / plainly, use?.Drafted ?? 0, use?.Accepted ?? 0));
        }
        return new BenchDrafts(engine.Model.Config.Name, threads, mode.ToString().ToLowerInvariant(), rows);
    }

    public void Print()
    {
        Terminal.Answers.WriteLine($"{Printable.Line(Model)}, {Threads} threads, guesses: {Mode}");
        Table table = new Table().SimpleBorder().AddColumn("replayed answer");
        foreach (string column in (string[])["tok/s plain", "tok/s", "ratio", "guessed", "right"])
            table.AddColumn(new TableColumn(column).RightAligned());
        foreach (BenchDraftsRow row in Tests)
            table.AddRow(row.Test, $"{row.PlainTokensPerS:N1}", $"{row.TokensPerS:N1}", $"{row.Ratio:0.00}",
                $"{row.Drafted:N0}", $"{row.Accepted:N0}");
        Terminal.Answers.Write(table);
    }
}

/// <summary>Medians of speeds, the second over the first, and what was guessed in the last run.</summary>
sealed record BenchDraftsRow(string Test, double PlainTokensPerS, double TokensPerS, double Ratio, int Drafted, int Accepted);
