using System.Globalization;
using System.Text;

namespace Kvasir.Cli.Verbs.Simulate.Html;

/// <summary>A plot as inline SVG. Colours come from the page's style, so that it is right on light and on dark.</summary>
sealed class Chart
{
    const double Width = 960, Left = 78, Right = 16, Top = 14, Bottom = 46;

    readonly StringBuilder _svg = new();
    readonly double _height, _xMin, _xMax, _yMax;
    readonly bool _isLog;

    /// <param name="label">What it shows, for those who cannot see it.</param>
    /// <param name="height">Height at a width of 960.</param>
    /// <param name="x">Ends of the horizontal axis; they may be equal.</param>
    /// <param name="yMax">Upper end of the vertical axis, which begins at 0.</param>
    /// <param name="isLog">Whether the horizontal axis is logarithmic.</param>
    public Chart(string label, double height, (double Min, double Max) x, double yMax, bool isLog = false)
    {
        (_height, _xMin, _xMax, _yMax, _isLog) = (height, x.Min, x.Max, yMax > 0 ? yMax : 1, isLog);
        Add($"<svg viewBox=\"0 0 {Width} {height}\" role=\"img\" aria-label=\"{HtmlText.Escape(label)}\">");
    }

    public void YAxis(IEnumerable<Tick> ticks, string title)
    {
        foreach (Tick tick in ticks)
        {
            Add($"<line class=\"grid\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Y(tick.Value):0.#}\" y2=\"{Y(tick.Value):0.#}\"/>");
            Add($"<text x=\"{Left - 8}\" y=\"{Y(tick.Value) + 4:0.#}\" text-anchor=\"end\">{HtmlText.Escape(tick.Label)}</text>");
        }
        Add($"<text transform=\"translate(13 {(Top + _height - Bottom) / 2:0.#}) rotate(-90)\" text-anchor=\"middle\">{HtmlText.Escape(title)}</text>");
    }

    public void XAxis(IEnumerable<Tick> ticks, string title)
    {
        double bottom = _height - Bottom;
        Add($"<line class=\"axis\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{bottom}\" y2=\"{bottom}\"/>");
        foreach (Tick tick in ticks)
        {
            Add($"<line class=\"axis\" x1=\"{X(tick.Value):0.#}\" x2=\"{X(tick.Value):0.#}\" y1=\"{bottom}\" y2=\"{bottom + 4}\"/>");
            string anchor = X(tick.Value) > Width - Right - 20 ? "end" : "middle"; // or the last label is cut
            Add($"<text x=\"{Math.Min(X(tick.Value), Width - 2):0.#}\" y=\"{bottom + 18}\" text-anchor=\"{anchor}\">{HtmlText.Escape(tick.Label)}</text>");
        }
        Add($"<text x=\"{(Left + Width - Right) / 2:0.#}\" y=\"{_height - 6}\" text-anchor=\"middle\">{HtmlText.Escape(title)}</text>");
    }

    /// <summary>A column between two heights.</summary>
    public void Column(double from, double to, double low, double high, string colour)
    {
        if (high > low)
            Add($"<rect shape-rendering=\"crispEdges\" x=\"{X(from):0.#}\" width=\"{X(to) - X(from) + 0.3:0.#}\" y=\"{Y(high):0.##}\" height=\"{Y(low) - Y(high):0.##}\" fill=\"{colour}\"/>");
    }

    /// <summary>An invisible column that tells its numbers to a pointer.</summary>
    public void Hover(double from, double to, string text) =>
        Add($"<rect class=\"hover\" x=\"{X(from):0.#}\" width=\"{X(to) - X(from):0.#}\" y=\"{Top}\" height=\"{_height - Bottom - Top}\"><title>{HtmlText.Escape(text)}</title></rect>");

    /// <summary>A line through points in their order.</summary>
    public void Curve(IReadOnlyList<(double X, double Y)> points, string colour)
    {
        if (points.Count > 0)
            Add($"<polyline class=\"curve\" stroke=\"{colour}\" points=\"{Joined(points)}\"/>");
    }

    /// <summary>A dashed line, for what is only compared with.</summary>
    public void Rule(IReadOnlyList<(double X, double Y)> points) => Add($"<polyline class=\"rule\" points=\"{Joined(points)}\"/>");

    /// <summary>A name above a point, to its left.</summary>
    public void Name(double x, double y, string text) => Add($"<text x=\"{X(x) - 4:0.#}\" y=\"{Y(y) - 6:0.#}\" text-anchor=\"end\">{HtmlText.Escape(text)}</text>");

    /// <summary>A dashed line down at a moment, with its name beside it.</summary>
    public void Moment(double x, string text)
    {
        Add($"<line class=\"rule\" x1=\"{X(x):0.#}\" x2=\"{X(x):0.#}\" y1=\"{Top}\" y2=\"{_height - Bottom}\"/>");
        bool isLate = X(x) > Width * 0.7; // or its name would be cut
        Add($"<text x=\"{X(x) + (isLate ? -6 : 6):0.#}\" y=\"{Top + 10}\" text-anchor=\"{(isLate ? "end" : "start")}\">{HtmlText.Escape(text)}</text>");
    }

    public void Dot(double x, double y, string colour, string text) =>
        Add($"<circle cx=\"{X(x):0.#}\" cy=\"{Y(y):0.#}\" r=\"4\" fill=\"{colour}\"><title>{HtmlText.Escape(text)}</title></circle>");

    public string End() => _svg.Append("</svg>").ToString();

    string Joined(IReadOnlyList<(double X, double Y)> points) =>
        string.Join(' ', points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{X(point.X):0.#},{Y(point.Y):0.##}")));

    double X(double value) =>
        Left + (Width - Left - Right) * (_xMax > _xMin ? (Scaled(value) - Scaled(_xMin)) / (Scaled(_xMax) - Scaled(_xMin)) : 0.5);

    double Scaled(double value) => _isLog ? Math.Log2(value) : value;

    double Y(double value) => _height - Bottom - (_height - Bottom - Top) * Math.Clamp(value / _yMax, 0, 1);

    void Add(FormattableString text) => _svg.Append(text.ToString(CultureInfo.InvariantCulture));
}
