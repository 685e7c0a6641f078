using System.Globalization;
using System.Text.Json;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>A number as its digits, exact however many there are.</summary>
/// <param name="IsNegative">Never of zero.</param>
/// <param name="Whole">The digits before the point, without leading zeros but for zero itself.</param>
/// <param name="Fraction">The digits after it, without zeros at the end.</param>
readonly record struct DecimalNumber(bool IsNegative, string Whole, string Fraction)
{
    /// <summary>Before and after the point: more than doubles have.</summary>
    public const int MaxDigits = 400;

    public bool IsInteger => Fraction.Length == 0;

    public static DecimalNumber From(long number) =>
        new(number < 0, number.ToString(CultureInfo.InvariantCulture).TrimStart('-'), "");

    /// <summary>The number, or null if it has too many digits.</summary>
    public static DecimalNumber? From(JsonElement number)
    {
        string[] parts = number.GetRawText().Split('e', 'E');
        string mantissa = parts[0].TrimStart('-');
        string digits = mantissa.Replace(".", "", StringComparison.Ordinal).Trim('0');
        if (digits.Length == 0)
            return new(false, "0", "");
        int exponent = 0;
        if (parts.Length > 1 && !int.TryParse(parts[1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent))
            return null;
        long point = (long)exponent + PointBehindDigits(mantissa); // digits before it; negative: zeros behind it
        if (digits.Length > MaxDigits || Math.Abs(point) > MaxDigits)
            return null;
        string padded = point > 0 ? digits.PadRight((int)point, '0') : digits.PadLeft(digits.Length + 1 - (int)point, '0');
        int whole = Math.Max(1, (int)point);
        return new(parts[0][0] == '-', padded[..whole], padded[whole..]);
    }

    /// <summary>How many digits stand before the point, from the first that is not zero on.</summary>
    static int PointBehindDigits(string mantissa)
    {
        int point = mantissa.IndexOf('.', StringComparison.Ordinal) is var dot and >= 0 ? dot : mantissa.Length;
        int first = mantissa.IndexOfAnyExcept('0', '.');
        return first < point ? point - first : point + 1 - first;
    }

    public int CompareTo(DecimalNumber other)
    {
        if (IsNegative != other.IsNegative)
            return IsNegative ? -1 : 1;
        int magnitude = Whole.Length != other.Whole.Length ? Whole.Length - other.Whole.Length
            : string.CompareOrdinal(Whole, other.Whole) is var order and not 0 ? order
            : string.CompareOrdinal(Fraction, other.Fraction);
        return IsNegative ? -magnitude : magnitude;
    }
}
