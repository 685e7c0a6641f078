using System.Globalization;
using Kvasir.Formats;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Measurement.Quality;
using Spectre.Console;

namespace Kvasir.Cli.Verbs;

/// <summary>What <c>eval --json</c> prints.</summary>
sealed record EvalReport
{
    public string Model { get; init; } = "";

    public required string Task { get; init; }

    public double Seconds { get; init; }

    public IReadOnlyList<RetrievalResult>? Retrieval { get; init; }

    public StoriesResult? Stories { get; init; }

    /// <summary>Speed of prefill meanwhile; 0 when it was not measured.</summary>
    public double PrefillTokensPerS { get; init; }

    public void Print()
    {
        if (Stories is { } stories)
            Say($"{Printable.Line(Model)}: perplexity {stories.Perplexity:0.000} ({stories.Low:0.000} to {stories.High:0.000}) over "
                + $"{stories.Stories:N0} stories, {stories.Tokens:N0} tokens, in {Duration.Text(Seconds)}");
        if (Retrieval is { } retrieval)
            Print(retrieval);
    }

    void Print(IReadOnlyList<RetrievalResult> retrieval)
    {
        Say($"{Printable.Line(Model)}: exact answers, with 95 % confidence between the bounds");
        Write(retrieval, ["right", "bounds", "asked", "longest prompt"],
            result => [$"{result.All.Share:P1}", Bounds(result.All), $"{result.All.Asked:N0}", $"{result.LongestPrompt:N0}"]);
        Say("right, by where in the document the fact stands");
        Write(retrieval, [.. Enumerable.Range(0, RetrievalResult.Deciles).Select(i => $"{i * 10} %")],
            result => [.. result.ByDecile.Select(Share)]);
        string[] kinds = [.. retrieval.SelectMany(result => result.ByKind.Keys).Distinct().Order(StringComparer.Ordinal)];
        Say("right, by kind");
        Write(retrieval, kinds, result => [.. kinds.Select(kind => result.ByKind.TryGetValue(kind, out Score score) ? Share(score) : "")]);
        long reused = retrieval.Sum(result => result.ReusedTokens), all = retrieval.Sum(result => result.PromptTokens);
        Say($"{(double)reused / all:P1} of {all:N0} prompt tokens came from the cache: "
            + $"{(PrefillTokensPerS > 0 ? $"{Duration.Text(reused / PrefillTokensPerS)} of prefill saved, " : "")}all in "
            + $"{Duration.Text(Seconds)}");
    }

    static void Write(IReadOnlyList<RetrievalResult> rows, string[] columns, Func<RetrievalResult, string[]> cells)
    {
        Table table = new Table().SimpleBorder();
        foreach (string column in (string[])["document", .. columns])
            table.AddColumn(new TableColumn(column).RightAligned());
        foreach (RetrievalResult row in rows)
            table.AddRow([row.Size.ToString(), .. cells(row)]);
        Terminal.Answers.Write(table);
    }

    static string Share(Score score) => score.Asked == 0 ? "" : $"{score.Share:P0}";

    static string Bounds(Score score) =>
        string.Create(CultureInfo.InvariantCulture, $"{score.Interval.Low * 100:0.0} – {score.Interval.High * 100:0.0} %");

    static void Say(string line) => Terminal.Answers.WriteLine(line);
}
