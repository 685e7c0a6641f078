using System.Globalization;
using System.Text;

namespace Kvasir.Inference.Measurement.Quality;

/// <summary>A plot over bytes in powers of two.</summary>
sealed class ParetoPanel
{
    const double Width = 960, Left = 78, Right = 20, Bottom = 56;

    readonly StringBuilder _svg;
    readonly double _top, _bottom, _yMin, _yMax;
    readonly int _xMin, _xMax; // powers of two

    public ParetoPanel(StringBuilder svg, double top, double height, (double Min, double Max) bytes, (double Min, double Max) y)
    {
        (_svg, _top, _bottom, _yMin, _yMax) = (svg, top, top + height - Bottom, y.Min, y.Max);
        _xMin = (int)Math.Floor(Math.Log2(bytes.Min));
        _xMax = Math.Max(_xMin + 1, (int)Math.Ceiling(Math.Log2(bytes.Max)));
    }

    public void Axes(IReadOnlyList<(double Value, string Label)> ticks, string title)
    {
        foreach ((double value, string label) in ticks)
        {
            Add($"<line class=\"grid\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Y(value):0.#}\" y2=\"{Y(value):0.#}\"/>");
            Add($"<text x=\"{Left - 8}\" y=\"{Y(value) + 4:0.#}\" text-anchor=\"end\">{label}</text>");
        }
        Add($"<line class=\"axis\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{_bottom}\" y2=\"{_bottom}\"/>");
        for (int power = _xMin; power <= _xMax; power++)
        {
            double x = X(Math.Pow(2, power));
            Add($"<line class=\"axis\" x1=\"{x:0.#}\" x2=\"{x:0.#}\" y1=\"{_bottom}\" y2=\"{_bottom + 4}\"/>");
            Add($"<text x=\"{x:0.#}\" y=\"{_bottom + 18}\" text-anchor=\"middle\">{Math.Pow(2, power):N0}</text>");
        }
        Add($"<text x=\"{(Left + Width - Right) / 2:0.#}\" y=\"{_bottom + 36}\" text-anchor=\"middle\">bytes per token of context</text>");
        Add($"<text transform=\"translate(16 {(_top + _bottom) / 2:0.#}) rotate(-90)\" text-anchor=\"middle\">{title}</text>");
    }

    public void Line(IEnumerable<(double X, double Y)> points)
    {
        Add($"<polyline class=\"best\" points=\"");
        foreach ((double x, double y) in points)
            Add($"{X(x):0.#},{Y(y):0.#} ");
        Add($"\"/>");
    }

    public void Interval(double x, Bounds bounds, string colour) =>
        Add($"<line stroke=\"{colour}\" x1=\"{X(x):0.#}\" x2=\"{X(x):0.#}\" y1=\"{Y(bounds.Low):0.#}\" y2=\"{Y(bounds.High):0.#}\"/>");

    public void Dot(double x, double y, string colour, bool isHollow, string text) => Circle(_svg, X(x), Y(y), colour, isHollow, text);

    /// <summary>A name beside a point, on the side that has more room; above it or below.</summary>
    public void Name(double x, double y, string text, bool isBelow)
    {
        bool isRight = X(x) > (Left + Width) / 2;
        Add($"<text class=\"name\" x=\"{X(x) + (isRight ? -7 : 7):0.#}\" y=\"{Y(y) + (isBelow ? 16 : -7):0.#}\" text-anchor=\"{(isRight ? "end" : "start")}\">{text}</text>");
    }

    public static void Circle(StringBuilder svg, double x, double y, string colour, bool isHollow, string text) =>
        svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{x:0.#}\" cy=\"{y:0.#}\" r=\"4\" stroke=\"{colour}\" fill=\"{(isHollow ? "var(--paper)" : colour)}\"><title>{text}</title></circle>");

    double X(double bytes) => Left + (Width - Left - Right) * (Math.Log2(bytes) - _xMin) / (_xMax - _xMin);

    double Y(double value) => _bottom - (_bottom - _top - 14) * Math.Clamp((value - _yMin) / (_yMax - _yMin), 0, 1);

    void Add(FormattableString text) => _svg.Append(text.ToString(CultureInfo.InvariantCulture));
}
