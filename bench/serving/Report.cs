using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Kvasir.Formats;

namespace Kvasir.Serving;

/// <summary>The rounds as a table of medians and ratios, or as JSON.</summary>
static class Report
{
    static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>
    /// A Markdown table: a row for each figure, a column of medians for each server, and one of ratios to the first for each other.
    /// </summary>
    public static string Table(Header header, LoadOptions options, IReadOnlyList<RoundResult> results)
    {
        string[] servers = [.. options.Servers.Select(spec => spec.Name)];
        List<string[]> rows = [["", .. servers, .. servers.Skip(1).Select(name => $"{name} / {servers[0]}")]];
        rows.AddRange(results[0].Figures.Select(figure => Row(figure, servers, results)));
        return string.Join('\n', [.. header.Lines(options.Servers), "", .. Lines(rows), .. Problems(results), ""]);
    }

    /// <summary>One object on one line.</summary>
    public static string Json(Header header, LoadOptions options, IReadOnlyList<RoundResult> results) => JsonSerializer.Serialize(new
    {
        Header = header,
        Servers = options.Servers.Select(spec => new
        {
            spec.Name,
            Command = string.Join(' ', spec.Command),
            spec.Address,
            Medians = results[0].Figures.ToDictionary(figure => figure.Key, figure => Median(Values(figure.Key, spec.Name, results))),
        }),
        Rounds = results.Select(result => new
        {
            result.Server,
            result.Round,
            Figures = result.Figures.ToDictionary(figure => figure.Key, figure => figure.Value),
            result.Problems,
        }),
    }, s_json) + "\n";

    static string[] Row(Figure figure, string[] servers, IReadOnlyList<RoundResult> results) =>
    [
        figure.Label,
        .. servers.Select(name => Cell(Median(Values(figure.Key, name, results)), figure.Decimals)),
        .. servers.Skip(1).Select(name => Ratio(Values(figure.Key, name, results), Values(figure.Key, servers[0], results))),
    ];

    /// <summary>The values of one server's rounds, in their order; unknown ones left out.</summary>
    static double[] Values(string key, string server, IReadOnlyList<RoundResult> results) =>
        [.. results.Where(result => result.Server == server).SelectMany(result => result.Figures)
           .Where(figure => figure.Key == key).Select(figure => figure.Value).OfType<double>()];

    static double? Median(double[] values) => values.Length == 0 ? null : Percentile.Median(values);

    static string Cell(double? value, int decimals) => value?.ToString($"N{decimals}", CultureInfo.InvariantCulture) ?? "-";

    /// <summary>The ratio of the medians and, in parentheses, the range of the rounds' ratios.</summary>
    static string Ratio(double[] values, double[] first)
    {
        if (Median(values) is not { } median || Median(first) is not { } one || one == 0)
            return "-";
        double[] ratios = [.. values.Zip(first).Where(pair => pair.Second != 0).Select(pair => pair.First / pair.Second)];
        return $"{median / one:F2} × ({ratios.Min():F2} – {ratios.Max():F2})";
    }

    static IEnumerable<string> Lines(List<string[]> rows)
    {
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length))];
        rows.Insert(1, [new string('-', widths[0]), .. widths.Skip(1).Select(width => new string('-', Math.Max(1, width - 1)) + ":")]);
        return rows.Select(row => "| " + string.Join(" | ",
            row.Select((cell, column) => column == 0 ? cell.PadRight(widths[0]) : cell.PadLeft(widths[column]))) + " |");
    }

    static IEnumerable<string> Problems(IReadOnlyList<RoundResult> results) =>
        results.SelectMany(
            result => result.Problems.Select(problem => $"\n{result.Server}, round {result.Round + 1}: {problem.Value} × {problem.Key}"));
}
