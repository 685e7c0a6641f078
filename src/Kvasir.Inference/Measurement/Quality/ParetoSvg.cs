using System.Globalization;
using System.Net;
using System.Text;
using Kvasir.Formats;

namespace Kvasir.Inference.Measurement.Quality;

/// <summary>
/// Bytes against right answers, and against divergence where it was measured, as one SVG file: without scripts, fonts or styles from
/// elsewhere, for light and dark screens. The line joins what nothing else beats at its size.
/// </summary>
public static class ParetoSvg
{
    const double Width = 960, AnswersHeight = 400, DivergenceHeight = 280, Top = 48, LegendLine = 22, LegendColumn = 224;
    const int Colours = 8;

    const string Style = """
        svg { color-scheme: light dark; --paper: #fbfaf8; --ink: #1c1b19; --soft: #68645d; --line: #e4e0d9;
          --s0: #1f6fb2; --s1: #c2452d; --s2: #2b8a57; --s3: #8a4bb0; --s4: #b07d12; --s5: #197f8c; --s6: #b03a75; --s7: #6b7280; }
        @media (prefers-color-scheme: dark) { svg { --paper: #171614; --ink: #ece8e1; --soft: #a39d93; --line: #36332e;
          --s0: #5fa8e6; --s1: #ec7a62; --s2: #5cc28c; --s3: #bd8ae0; --s4: #d9ab45; --s5: #52b9c7; --s6: #e07bb0; --s7: #a3a9b3; } }
        text { fill: var(--soft); font: 12px system-ui, sans-serif; } .title { fill: var(--ink); font-size: 16px; font-weight: 600; }
        .grid { stroke: var(--line); } .axis { stroke: var(--soft); } .best { fill: none; stroke: var(--ink); stroke-dasharray: 5 4; }
        .name { fill: var(--ink); font-size: 11px; } .paper { fill: var(--paper); }
        """;

    /// <summary>Draws points.</summary>
    /// <param name="title">What is compared.</param>
    /// <param name="points">The points; groups have their colours in the order in which they come.</param>
    /// <exception cref="ArgumentException">There are none, or one has no bytes.</exception>
    public static string Draw(string title, IReadOnlyList<ParetoPoint> points)
    {
        ArgumentNullException.ThrowIfNull(title);
        ArgumentNullException.ThrowIfNull(points);
        if (points.Count == 0 || points.Any(point => point.BytesPerToken is not (> 0 and < double.PositiveInfinity)))
            throw new ArgumentException("points to draw: expected some, of which each has bytes");
        string[] groups = [.. points.Select(point => point.Group).Distinct()];
        ParetoPoint[] measured = [.. points.Where(point => point.Divergence is not null)];
        double legend = Top + AnswersHeight + (measured.Length > 0 ? DivergenceHeight : 0);
        double height = legend + LegendLine * ((groups.Length + 3) / 4) + 20;
        StringBuilder svg = new();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {height}\" role=\"img\">");
        svg.Append(CultureInfo.InvariantCulture, $"<title>{Escape(title)}</title><style>{Style}</style>");
        svg.Append(CultureInfo.InvariantCulture, $"<rect class=\"paper\" width=\"{Width}\" height=\"{height}\"/>");
        svg.Append(CultureInfo.InvariantCulture, $"<text class=\"title\" x=\"16\" y=\"28\">{Escape(title)}</text>");
        (double, double) bytes = (points.Min(point => point.BytesPerToken), points.Max(point => point.BytesPerToken));
        Answers(new ParetoPanel(svg, Top, AnswersHeight, bytes, (0, 1)), points, groups);
        if (measured.Length > 0)
            Divergence(svg, measured, bytes, groups);
        for (int i = 0; i < groups.Length; i++)
            Legend(svg, 24 + i % 4 * LegendColumn, legend + LegendLine * (i / 4), groups[i], i);
        return svg.Append("</svg>\n").ToString();
    }

    static void Answers(ParetoPanel panel, IReadOnlyList<ParetoPoint> points, string[] groups)
    {
        panel.Axes([.. Enumerable.Range(0, 6).Select(i => (i / 5.0, $"{i * 20} %"))], "exact answers, with 95 % confidence");
        foreach (ParetoPoint point in points)
            panel.Interval(point.BytesPerToken, point.Answers.Interval, Colour(Array.IndexOf(groups, point.Group)));
        Points(panel, points, groups, point => point.Answers.Share, point => -point.Answers.Share);
    }

    static void Divergence(StringBuilder svg, ParetoPoint[] points, (double, double) bytes, string[] groups)
    {
        // In decades; what does not diverge at all lies on the lowest line.
        double least = points.Select(point => point.Divergence!.Value).Where(value => value > 0).DefaultIfEmpty(1e-3).Min();
        int low = (int)Math.Floor(Math.Log10(least)), high = Math.Max(low + 1, (int)Math.Ceiling(Math.Log10(points.Max(point =>
            Math.Max(least, point.Divergence!.Value)))));
        ParetoPanel panel = new(svg, Top + AnswersHeight, DivergenceHeight, bytes, (low, high));
        panel.Axes([.. Enumerable.Range(low, high - low + 1)
            .Select(power => ((double)power, Math.Pow(10, power).ToString("0.########", CultureInfo.InvariantCulture)))],
            "KL divergence, nats");
        Points(panel, points, groups, point => point.Divergence is > 0 and { } value ? Math.Log10(value) : low,
            point => point.Divergence!.Value);
    }

    static void Points(ParetoPanel panel, IReadOnlyList<ParetoPoint> points, string[] groups, Func<ParetoPoint, double> y,
        Func<ParetoPoint, double> cost)
    {
        IReadOnlyList<ParetoPoint> best = ParetoPoint.Best(points, cost);
        panel.Line(best.Select(point => (point.BytesPerToken, y(point))));
        foreach (ParetoPoint point in points)
        {
            int group = Array.IndexOf(groups, point.Group);
            panel.Dot(point.BytesPerToken, y(point), Colour(group), group >= Colours, Escape(Words(point)));
        }
        for (int i = 0; i < best.Count; i++) // neighbours are often long and close
            panel.Name(best[i].BytesPerToken, y(best[i]), Escape(best[i].Name), isBelow: i % 2 == 1);
    }

    static string Words(ParetoPoint point) => string.Create(CultureInfo.InvariantCulture,
        $"{point.Name}: {point.BytesPerToken:N0} bytes per token, {100 * point.Answers.Share:0.0} % of {point.Answers.Asked} right")
        + (point.Divergence is { } value ? string.Create(CultureInfo.InvariantCulture, $", KL {value:0.#####}") : "");

    static void Legend(StringBuilder svg, double x, double y, string group, int colour)
    {
        ParetoPanel.Circle(svg, x, y, Colour(colour), colour >= Colours, "");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{x + 12}\" y=\"{y + 4}\">{Escape(group)}</text>");
    }

    static string Colour(int group) => $"var(--s{group % Colours})";

    static string Escape(string text) => WebUtility.HtmlEncode(Printable.Line(text, 120));
}
