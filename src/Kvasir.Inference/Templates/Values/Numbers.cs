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
        string text = number.ToString("E16", CultureInfo.InvariantCulture), shortest = number.ToString("R", CultureInfo.InvariantCulture);
        int exponent = int.Parse(text.AsSpan(text.IndexOf('E') + 1), CultureInfo.InvariantCulture);
        string digits = Digits(shortest), sign = double.IsNegative(number) ? "-" : "";
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

    static string Digits(string shortest)
    {
        int exponent = shortest.IndexOf('E', StringComparison.Ordinal);
        string mantissa = exponent < 0 ? shortest : shortest[..exponent];
        string digits = string.Concat(mantissa.Where(char.IsAsciiDigit)).TrimStart('0').TrimEnd('0');
        return digits.Length == 0 ? "0" : digits;
    }
}
