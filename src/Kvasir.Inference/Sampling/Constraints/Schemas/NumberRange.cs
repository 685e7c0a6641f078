using System.Globalization;
using System.Numerics;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>
/// Patterns of the numbers between bounds. A number with p decimal places is a whole number of steps of 10^−p, so all comes down to whole
/// numbers of equal length compared digit by digit. Negative ones are compared by what follows the sign.
/// </summary>
sealed class NumberRange
{
    const int MaxDigits = 18; // before the point

    readonly List<(decimal Bound, bool IsExclusive)> _lower, _upper;
    readonly List<string> _options = [];

    public NumberRange(List<(decimal Bound, bool IsExclusive)> lower, List<(decimal Bound, bool IsExclusive)> upper) =>
        (_lower, _upper) = (lower, upper);

    public bool IsUnbounded => _lower.Count + _upper.Count == 0;

    public bool Contains(decimal value) =>
        _lower.All(lower => value > lower.Bound || (value == lower.Bound && !lower.IsExclusive))
        && _upper.All(upper => value < upper.Bound || (value == upper.Bound && !upper.IsExclusive));

    /// <summary>A pattern of the integers.</summary>
    public string Integers()
    {
        _options.Clear();
        AddSteps(0);
        return Pattern();
    }

    /// <summary>
    /// A pattern of the numbers with up to as many decimal places as the bounds have, and of those with more that lie
    /// between two steps within the bounds.
    /// </summary>
    public string Numbers()
    {
        _options.Clear();
        int places = _lower.Concat(_upper).Max(bound => bound.Bound.Scale);
        for (int p = 0; p <= places; p++)
            AddSteps(p);
        string more = (places == 0 ? @"\." : "") + "[0-9]{1,15}";
        AddLengths("", BigInteger.Max(0, Lowest(places, true)), Highest(places, false) - 1, places, more);
        AddLengths("-", BigInteger.Max(0, -Highest(places, true)), -Lowest(places, false) - 1, places, more);
        return Pattern();
    }

    string Pattern() => _options.Count > 0 ? string.Join('|', _options) : "[]"; // an empty class fits nothing

    void AddSteps(int places)
    {
        BigInteger lowest = Lowest(places, true), highest = Highest(places, true);
        AddLengths("", BigInteger.Max(0, lowest), highest, places, "");
        AddLengths("-", BigInteger.Max(1, -highest), -lowest, places, "");
    }

    /// <summary>The least whole number of steps.</summary>
    BigInteger Lowest(int places, bool excludes) =>
        _lower.Select(lower => -Floor(-lower.Bound, lower.IsExclusive && excludes, places)).Append(-Limit(places)).Max();

    BigInteger Highest(int places, bool excludes) =>
        _upper.Select(upper => Floor(upper.Bound, upper.IsExclusive && excludes, places)).Append(Limit(places)).Min();

    static BigInteger Limit(int places) => BigInteger.Pow(10, MaxDigits + places) - 1;

    static BigInteger Floor(decimal bound, bool isExclusive, int places)
    {
        BigInteger whole = new(decimal.Floor(bound)), step = BigInteger.Pow(10, places);
        decimal rest = (bound - decimal.Floor(bound)) * (decimal)step;
        BigInteger steps = whole * step + new BigInteger(decimal.Floor(rest));
        return isExclusive && rest == decimal.Floor(rest) ? steps - 1 : steps;
    }

    /// <summary>Adds the numbers of steps from one to another, those of each length together.</summary>
    void AddLengths(string sign, BigInteger from, BigInteger to, int places, string end)
    {
        for (int length = places + 1; length <= MaxDigits + places; length++)
        {
            BigInteger first = BigInteger.Max(from, length == places + 1 ? 0 : BigInteger.Pow(10, length - 1));
            BigInteger last = BigInteger.Min(to, BigInteger.Pow(10, length) - 1);
            if (first <= last)
                _options.Add(sign + Between(Digits(first, length), Digits(last, length), places) + end);
        }
    }

    static string Digits(BigInteger number, int length) => number.ToString(CultureInfo.InvariantCulture).PadLeft(length, '0');

    static string Between(string first, string last, int places)
    {
        if (first.Trim('0').Length == 0 && last.Trim('9').Length == 0)
            return Free(first.Length, places);
        string point = Point(first.Length, places);
        if (first[0] == last[0])
            return point + first[0] + Between(first[1..], last[1..], places);
        string nines = new('9', first.Length - 1), zeros = new('0', first.Length - 1);
        List<string> options = [point + first[0] + Between(first[1..], nines, places), point + last[0] + Between(zeros, last[1..], places)];
        if (first[0] + 1 < last[0])
            options.Add($"{point}[{(char)(first[0] + 1)}-{(char)(last[0] - 1)}]{Free(first.Length - 1, places)}");
        return $"(?:{string.Join('|', options)})";
    }

    /// <summary>Any digits, as many as are left, with the point among them.</summary>
    static string Free(int digits, int places) => digits > places && places > 0
        ? $"{Count(digits - places)}\\.{Count(places)}"
        : Point(digits, places) + Count(digits);

    static string Count(int digits) => digits == 0 ? "" : $"[0-9]{{{digits}}}";

    static string Point(int digits, int places) => digits == places && places > 0 ? @"\." : "";
}
