using System.Globalization;

namespace Kvasir.Inference.Templates.Values;

/// <summary>Numbers as Python prints, compares and converts them. Booleans are numbers; integers have 64 bits.</summary>
static class Numbers
{
    public static bool IsNumber(object? value) => value is long or double or bool;

    public static long? Integer(object? value) => value switch
    {
        long number => number,
        bool truth => truth ? 1 : 0,
        _ => null,
    };

    public static double Float(object? value) => value is double number ? number : Integer(value) ?? double.NaN;

    /// <summary>Not zero where either is no number at all.</summary>
    public static int Compare(object? left, object? right)
    {
        if (Integer(left) is { } a && Integer(right) is { } b) return a.CompareTo(b);
        double x = Float(left), y = Float(right);
        return x < y ? -1 : x == y ? 0 : 1;
    }

    /// <summary>The shortest digits that read back as this number; an exponent below 1e-4 and from 1e16 on.</summary>
    public static string Print(double number)
    {
        if (double.IsNaN(number)) return "nan";
        if (double.IsInfinity(number)) return number > 0 ? "inf" : "-inf";
        var (digits, exponent) = Shortest(Math.Abs(number));
        string sign = double.IsNegative(number) ? "-" : "";
        if (exponent is < -4 or >= 16)
            return $"{sign}{digits[0]}{(digits.Length > 1 ? "." : "")}{digits[1..]}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        if (exponent < 0) return $"{sign}0.{new string('0', -exponent - 1)}{digits}";
        digits = digits.PadRight(exponent + 1, '0');
        return $"{sign}{digits[..(exponent + 1)]}.{(digits.Length > exponent + 1 ? digits[(exponent + 1)..] : "0")}";
    }

    public static object? ParseInteger(string text)
    {
        string digits = PythonText.Strip(text).Replace("_", "", StringComparison.Ordinal);
        if (long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)) return number;
        return ParseFloat(text) is double value && Math.Abs(value) < long.MaxValue ? (long)value : null;
    }

    public static object? ParseFloat(string text) =>
        double.TryParse(PythonText.Strip(text), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : null;

    /// <summary>The digits without zeros around them, and the power of ten of the first.</summary>
    static (string Digits, int Exponent) Shortest(double number)
    {
        string[] parts = number.ToString("R", CultureInfo.InvariantCulture).Split('E');
        int point = parts[0].IndexOf('.', StringComparison.Ordinal);
        string all = parts[0].Replace(".", "", StringComparison.Ordinal), digits = all.TrimStart('0');
        if (digits.Length == 0) return ("0", 0);
        int exponent = (point < 0 ? all.Length : point) - 1 - (all.Length - digits.Length);
        return (digits.TrimEnd('0'), exponent + (parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 0));
    }
}
