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

    /// <summary>What policies change in what the model expects of stories.</summary>
    public IReadOnlyList<RetainedStoriesResult>? Retained { get; init; }

    /// <summary>Speed of prefill meanwhile; 0 when it was not measured.</summary>
    public double PrefillTokensPerS { get; init; }

    public void Print()
    {
        if (Stories is { } stories)
            Say($"{Printable.Line(Model)}: perplexity {stories.Perplexity:0.000} ({stories.Low:0.000} to {stories.High:0.000}) over "
                + $"{stories.Stories:N0} stories, {stories.Tokens:N0} tokens, in {Duration.Text(Seconds)}");
        if (Retrieval is { } retrieval)
            Print(retrieval);
        if (Retained is { } retained)
            Print(retained);
    }

    static void Print(IReadOnlyList<RetainedStoriesResult> retained)
    {
        Say($"stories, their first half kept as a policy says, {retained[0].Texts:N0} texts, {retained[0].Tokens:N0} tokens predicted: "
            + $"perplexity {retained[0].ExactPerplexity:0.0000} when all is kept");
        Write("policy", retained, result => result.Policy,
            ["bytes/token", "perplexity", "KL", "KL 99 %", "same top", "greedy alike"], result =>
            [
                $"{result.BytesPerToken:N0}", $"{result.Perplexity:0.0000}", Nats(result.MeanKl), Nats(result.Kl99),
                $"{result.TopAgreement:P2}", $"{result.AgreeingTokens:0.0}",
            ]);
    }

    static string Nats(double value) => value.ToString("0.######", CultureInfo.InvariantCulture);

    void Print(IReadOnlyList<RetrievalResult> retrieval)
    {
        Say($"{Printable.Line(Model)}: exact answers, with 95 % confidence between the bounds");
        Write(retrieval, ["right", "bounds", "asked", "longest prompt"],
            result => [$"{result.All.Share:P1}", Bounds(result.All), $"{result.All.Asked:N0}", $"{result.LongestPrompt:N0}"]);
        if (retrieval.Any(result => result.Policy is not null))
        {
            Say("what is kept, and what that costs: points against exact answers, with 95 % confidence between the bounds");
            Write(retrieval, ["bytes/token", "pages read", "right", "against exact", "bounds"], result =>
            [
                $"{result.BytesPerToken:N0}", $"{result.PagesRead ?? 1:P1}", $"{result.All.Share:P1}",
                .. result.AgainstExact is { } against ? (string[])[Points(against.Difference),
                    $"{Points(against.Interval.Low)} – {Points(against.Interval.High)}"] : ["", ""],
            ]);
        }
        Say("right, by where in the document the fact stands");
        Write(retrieval, [.. Enumerable.Range(0, RetrievalResult.Deciles).Select(i => $"{i * 10} %")],
            result => [.. result.ByDecile.Select(Share)]);
        string[] kinds = [.. retrieval.SelectMany(result => result.ByKind.Keys).Distinct().Order(StringComparer.Ordinal)];
        Say("right, by kind");
        Write(retrieval, kinds, result => [.. kinds.Select(kind => result.ByKind.TryGetValue(kind, out Score score) ? Share(score) : "")]);
        long reused = retrieval.Sum(result => result.ReusedTokens), all = retrieval.Sum(result => result.PromptTokens);
        Say($"{(double)reused / all:P1} of {all:N0} prompt tokens came from the cache"
            + (retrieval.Any(result => result.Policy is not null) ? ", exactly or as the policies left them: " : ": ")
            + $"{(PrefillTokensPerS > 0 ? $"{Duration.Text(reused / PrefillTokensPerS)} of prefill saved, " : "")}all in "
            + $"{Duration.Text(Seconds)}");
    }

    static void Write(IReadOnlyList<RetrievalResult> rows, string[] columns, Func<RetrievalResult, string[]> cells) =>
        Write("document", rows, row => row.Policy is null ? row.Size.ToString() : $"{row.Size}, {row.Policy}", columns, cells);

    static void Write<T>(string heading, IReadOnlyList<T> rows, Func<T, string> name, string[] columns, Func<T, string[]> cells)
    {
        Table table = new Table().SimpleBorder();
        foreach (string column in (string[])[heading, .. columns])
            table.AddColumn(new TableColumn(column).RightAligned());
        foreach (T row in rows)
            table.AddRow([name(row), .. cells(row)]);
        Terminal.Answers.Write(table);
    }

    static string Points(double share) => (share * 100).ToString("+0.0;-0.0;0.0", CultureInfo.InvariantCulture);

    static string Share(Score score) => score.Asked == 0 ? "" : $"{score.Share:P0}";

    static string Bounds(Score score) =>
        string.Create(CultureInfo.InvariantCulture, $"{score.Interval.Low * 100:0.0} – {score.Interval.High * 100:0.0} %");

    static void Say(string line) => Terminal.Answers.WriteLine(line);
}
