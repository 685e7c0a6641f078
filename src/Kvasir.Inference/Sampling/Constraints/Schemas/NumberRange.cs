using Kvasir.Inference.Sampling.Constraints.Automata;
using Kvasir.Inference.Sampling.Constraints.Json;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>A lower or upper bound of numbers.</summary>
readonly record struct NumberBound(DecimalNumber Number, bool IsExclusive);

/// <summary>
/// The numbers between bounds. A text is compared with a bound digit by digit, as people do it; each bound is an automaton for numbers of
/// any length, and one for the form says how long they may become.
/// </summary>
sealed class NumberRange(IReadOnlyList<NumberBound> lower, IReadOnlyList<NumberBound> upper)
{
    const int WholeDigits = 18; // that a number may have before the point, whatever the bounds
    const int WholeDigitsOfFraction = 7; // that one which is no integer may have: to who reads doubles, it must be none either
    const int ExactDigits = 15; // that doubles, as which most read numbers, tell apart: more could round to an excluded bound
    const string Unsigned = @"[0-9]+(?:\.[0-9]+)?", AnyFraction = @"(?:\.[0-9]+)?";

    public bool IsUnbounded => lower.Count + upper.Count == 0;

    public bool Contains(DecimalNumber value) =>
        lower.All(bound => value.CompareTo(bound.Number) is var order && (order > 0 || (order == 0 && !bound.IsExclusive)))
        && upper.All(bound => value.CompareTo(bound.Number) is var order && (order < 0 || (order == 0 && !bound.IsExclusive)));

    /// <summary>The numbers as JSON without exponents, one digit longer than the bounds are: there is room beside each.</summary>
    /// <param name="types">Integers, numbers that are none, or both.</param>
    /// <param name="work">What it may cost.</param>
    public ByteAutomaton Texts(JsonTypes types, WorkLimit work)
    {
        bool isFraction = (types & JsonTypes.Number) == JsonTypes.Fraction;
        int longest = Longest(bound => bound.Number.Whole.Length);
        int whole = Math.Max(isFraction ? WholeDigitsOfFraction : WholeDigits, 1 + longest);
        int places = Math.Max(1 + Longest(bound => bound.Number.Fraction.Length), ExactDigits - (isFraction ? whole : longest));
        string integer = $"[1-9][0-9]{{0,{whole - 1}}}", fraction = $@"\.[0-9]{{0,{places - 1}}}";
        ByteAutomaton texts = JsonText.Automaton((types & JsonTypes.Number) switch
        {
            JsonTypes.Integer => $"0|-?{integer}",
            JsonTypes.Fraction => $"-?(?:0|{integer}){fraction}[1-9]",
            _ => $"(?:0|-?{integer})(?:{fraction}[0-9])?|-0{fraction}[1-9]",
        }, work);
        foreach (NumberBound bound in lower)
            texts = AutomatonProduct.Both(texts, JsonText.Automaton(AtLeast(bound), work), work);
        foreach (NumberBound bound in upper)
            texts = AutomatonProduct.Both(texts, JsonText.Automaton(AtMost(bound), work), work);
        return texts;
    }

    int Longest(Func<NumberBound, int> digits) => lower.Concat(upper).Select(digits).DefaultIfEmpty(0).Max();

    static string AtLeast(NumberBound bound) => bound.Number.IsNegative
        ? $"{Unsigned}|-(?:{Below(bound)})"
        : Above(bound);

    static string AtMost(NumberBound bound) => bound.Number.IsNegative
        ? $"-(?:{Above(bound)})"
        : $"{Below(bound)}|-{Unsigned}";

    /// <summary>A pattern of the numbers without sign that are larger than a bound without its sign.</summary>
    static string Above(NumberBound bound)
    {
        (_, string whole, string fraction) = bound.Number;
        string equal = fraction.Length == 0 ? whole : $@"{whole}\.{fraction}", point = fraction.Length == 0 ? @"\." : "";
        List<string> options = [$"[1-9][0-9]{{{whole.Length},}}{AnyFraction}", $"{equal}{point}0*[1-9][0-9]*"];
        for (int i = 0; i < whole.Length; i++)
            if (whole[i] < '9')
                options.Add($"{whole[..i]}[{Next(whole[i])}-9][0-9]{{{whole.Length - 1 - i}}}{AnyFraction}");
        for (int i = 0; i < fraction.Length; i++)
            if (fraction[i] < '9')
                options.Add($@"{whole}\.{fraction[..i]}[{Next(fraction[i])}-9][0-9]*");
        return Or(options, bound);
    }

    /// <summary>The same for the smaller ones.</summary>
    static string Below(NumberBound bound)
    {
        (_, string whole, string fraction) = bound.Number;
        List<string> options = [];
        if (whole.Length > 1)
            options.Add($"(?:0|[1-9][0-9]{{0,{whole.Length - 2}}}){AnyFraction}");
        for (int i = 0; i < whole.Length; i++)
            if ((i == 0 && whole.Length > 1 ? '1' : '0') is var least && whole[i] > least)
                options.Add($"{whole[..i]}[{least}-{Last(whole[i])}][0-9]{{{whole.Length - 1 - i}}}{AnyFraction}");
        for (int i = 0; i < fraction.Length; i++)
        {
            options.Add(i == 0 ? whole : $@"{whole}\.{fraction[..i]}");
            if (fraction[i] > '0')
                options.Add($@"{whole}\.{fraction[..i]}[0-{Last(fraction[i])}][0-9]*");
        }
        return Or(options, bound);
    }

    /// <summary>With the bound itself, if it is one of the numbers; an empty class fits nothing.</summary>
    static string Or(List<string> options, NumberBound bound)
    {
        (_, string whole, string fraction) = bound.Number;
        if (!bound.IsExclusive)
            options.Add(fraction.Length == 0 ? $@"{whole}(?:\.0+)?" : $@"{whole}\.{fraction}0*");
        return options.Count == 0 ? "[]" : string.Join('|', options);
    }

    static char Next(char digit) => (char)(digit + 1);

    static char Last(char digit) => (char)(digit - 1);
}
