using System.Net;
using System.Text.RegularExpressions;
using Kvasir.Formats;
using Kvasir.Inference.Measurement.Quality;

namespace Kvasir.Cli.Verbs;

/// <summary>Where a comparison of policies is drawn to: a picture, or a page with the picture and its numbers.</summary>
sealed partial class EvalPlot
{
    readonly string _file;

    EvalPlot(string file) => _file = file;

    /// <summary>Takes a file's name, which says what is drawn.</summary>
    /// <exception cref="UsageException">It is neither .svg nor .html, or its directory is not there.</exception>
    public static EvalPlot To(string file)
    {
        if (Path.GetExtension(file) is not (".svg" or ".html"))
            throw new UsageException($"--pareto {Printable.Quote(file)}: expected a name that ends with .svg or .html");
        return Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(file)))
            ? new EvalPlot(file)
            : throw new UsageException($"--pareto {Printable.Quote(file)}: its directory is not there");
    }

    /// <summary>Draws what was measured.</summary>
    public void Write(EvalReport report)
    {
        ParetoPoint[] points = [.. Points(report)];
        string title = $"{Printable.Line(report.Model)}: what is kept of keys and values, and what is found";
        string svg = ParetoSvg.Draw(title, points);
        File.WriteAllText(_file, Path.GetExtension(_file) == ".svg" ? svg : Page(title, svg, points));
    }

    /// <summary>A point for each policy: its answers to documents of all sizes, and what it changes in stories.</summary>
    static IEnumerable<ParetoPoint> Points(EvalReport report)
    {
        Dictionary<string, RetainedStoriesResult> stories = (report.Retained ?? []).ToDictionary(result => result.Policy);
        if (report.Retrieval is null)
            return stories.Values.Select(result => new ParetoPoint(Name(result.Policy), Group(result.Policy), result.BytesPerToken,
                new Score((int)Math.Round(result.TopAgreement * result.Tokens), result.Tokens), result.MeanKl));
        return report.Retrieval.GroupBy(result => result.Policy).Select(policy => new ParetoPoint(
            policy.Key is null ? "exact" : Name(policy.Key), policy.Key is null ? "exact" : Group(policy.Key),
            policy.Average(result => result.BytesPerToken),
            new Score(policy.Sum(result => result.All.Right), policy.Sum(result => result.All.Asked)),
            policy.Key is null ? null : stories.GetValueOrDefault(policy.Key)?.MeanKl));
    }

    /// <summary>The policy without what is usual: there is little room beside a point.</summary>
    static string Name(string policy) => TwoTypes().Replace(Usual().Replace(policy, ""), ",type=$1");

    [GeneratedRegex(@",min=\d+|,sinks=4|,recent=(?:4|8|32)(?!\d)|(?<=^replay:[^,]*),alloc=global|(?<!^replay:[^,]*),alloc=uniform| v\d+$")]
    private static partial Regex Usual();

    [GeneratedRegex(",type-k=(\\w+),type-v=\\1(?!\\w)")]
    private static partial Regex TwoTypes();

    static string Group(string policy) => policy.Split(':')[0];

    static string Page(string title, string svg, IReadOnlyList<ParetoPoint> points) => $$"""
        <!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
        <title>{{WebUtility.HtmlEncode(title)}}</title>
        <style>:root { color-scheme: light dark } body { font: 14px system-ui, sans-serif; max-width: 1000px; margin: 2em auto; padding: 0 1em }
        svg { width: 100% } table { border-collapse: collapse } td, th { padding: .3em .8em; text-align: right; border-bottom: 1px solid #8884 }
        td:first-child, th:first-child { text-align: left }</style>
        {{svg}}
        <table><tr><th>kept<th>bytes per token<th>right<th>of<th>KL, nats
        {{string.Join('\n', points.OrderBy(point => point.BytesPerToken).Select(Row))}}
        </table></html>
        """;

    static string Row(ParetoPoint point) => $"<tr><td>{WebUtility.HtmlEncode(point.Name)}<td>{point.BytesPerToken:N0}"
        + $"<td>{point.Answers.Share:P1}<td>{point.Answers.Asked:N0}<td>{point.Divergence:0.#####}";
}
