using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>Filters that make numbers.</summary>
static class NumberFilters
{
    public static object? Integer(Call call) => call[0] switch
    {
        long or bool => Numbers.Integer(call[0]),
        double number when Math.Abs(number) < long.MaxValue => (long)number,
        MarkedText => Numbers.ParseInteger(call.Text(0).Text),
        _ => null,
    } ?? (call.Has(1) ? call[1] : 0L);

    public static object? Float(Call call) => call[0] switch
    {
        long or bool or double => Numbers.Float(call[0]),
        MarkedText => Numbers.ParseFloat(call.Text(0).Text),
        _ => null,
    } ?? (call.Has(1) ? call[1] : 0.0);

    public static object? Absolute(Call call) =>
        Comparison.Order(call[0], 0L, call.Rendering) < 0 ? Arithmetic.Negate(call[0]) : Arithmetic.Identity(call[0]);

    /// <summary>Halves go to the even neighbour, and integers stay integers unless a direction is named, as in Python.</summary>
    public static object? Round(Call call)
    {
        long precision = call.Integer(1, 0);
        string method = call.Has(2) ? call.Text(2).Text : "common";
        if (!Numbers.IsNumber(call[0])) throw call.Wrong(0, "a number");
        if (precision is < 0 or > 15) throw new TemplateException($"round: a precision of {precision}, expected 0 to 15");
        if (method == "common" && Numbers.Integer(call[0]) is { } integer) return integer;
        double number = Numbers.Float(call[0]), scale = Math.Pow(10, precision), scaled = number * scale;
        return method switch
        {
            "common" => Math.Round(number, (int)precision, MidpointRounding.ToEven),
            "ceil" => Math.Ceiling(scaled) / scale,
            "floor" => Math.Floor(scaled) / scale,
            _ => throw new TemplateException($"round: a method {Formats.Printable.Quote(method)}, expected common, ceil or floor"),
        };
    }

    public static object? Sum(Call call)
    {
        object? sum = call.Has(2) ? call[2] : 0L;
        if (!Numbers.IsNumber(sum)) throw call.Wrong(2, "a number");
        foreach (object? item in ListFilters.Attributes(call, 1))
            sum = Arithmetic.Add(sum, item);
        return sum;
    }
}
