using System.Globalization;

namespace Kvasir.Inference.Sampling.Constraints.Automata;

/// <summary>Reads what stands for one character in a regular expression: the character, an escape, a dot or a class in brackets.</summary>
sealed class CharacterSetParser(string pattern, PatternParser parser)
{
    public CharacterSet Next(ref int at)
    {
        if (pattern[at] == '.')
        {
            at++;
            return CharacterSet.Dot;
        }
        return pattern[at] == '[' ? Class(ref at) : Single(ref at, inClass: false);
    }

    CharacterSet Class(ref int at)
    {
        at++;
        bool isNegated = at < pattern.Length && pattern[at] == '^';
        at += isNegated ? 1 : 0;
        List<CharacterSet> members = [];
        while (at < pattern.Length && pattern[at] != ']')
            members.Add(Member(ref at));
        if (at++ >= pattern.Length)
            throw parser.Refused("'[' without ']'");
        CharacterSet set = CharacterSet.Union(members);
        return isNegated ? set.Complement() : set;
    }

    /// <summary>A character, a class escape or a range.</summary>
    CharacterSet Member(ref int at)
    {
        CharacterSet first = Single(ref at, inClass: true);
        if (at + 1 >= pattern.Length || pattern[at] != '-' || pattern[at + 1] == ']')
            return first;
        at++;
        CharacterSet last = Single(ref at, inClass: true);
        bool isRange = IsOne(first) && IsOne(last) && first.Ranges[0].First <= last.Ranges[0].First;
        return isRange
            ? CharacterSet.Range(first.Ranges[0].First, last.Ranges[0].First)
            : throw parser.Refused("a range that ends before it begins, or of classes");
    }

    static bool IsOne(CharacterSet set) => set.Ranges is [var (first, last)] && first == last;

    CharacterSet Single(ref int at, bool inClass)
    {
        if (pattern[at] == '\\')
            return Escape(ref at, inClass);
        int character = char.IsSurrogatePair(pattern, at) ? char.ConvertToUtf32(pattern, at) : pattern[at];
        at += character > char.MaxValue ? 2 : 1;
        return CharacterSet.Of(character);
    }

    CharacterSet Escape(ref int at, bool inClass)
    {
        if (at + 1 >= pattern.Length)
            throw parser.Refused("'\\' at the end");
        char letter = pattern[at + 1];
        at += 2;
        return letter switch
        {
            'd' => CharacterSet.Digits,
            'D' => CharacterSet.Digits.Complement(),
            'w' => CharacterSet.WordCharacters,
            'W' => CharacterSet.WordCharacters.Complement(),
            's' => CharacterSet.Spaces,
            'S' => CharacterSet.Spaces.Complement(),
            'n' => CharacterSet.Of('\n'),
            'r' => CharacterSet.Of('\r'),
            't' => CharacterSet.Of('\t'),
            'f' => CharacterSet.Of('\f'),
            'v' => CharacterSet.Of('\v'),
            'b' when inClass => CharacterSet.Of('\b'),
            '0' when at == pattern.Length || !char.IsAsciiDigit(pattern[at]) => CharacterSet.Of(0),
            'x' => CharacterSet.Of(Hexadecimal(ref at, 2)),
            'u' => CharacterSet.Of(CodePoint(ref at)),
            _ when char.IsAsciiLetterOrDigit(letter) => throw parser.Refused($"the escape '\\{letter}'"),
            _ => CharacterSet.Of(letter),
        };
    }

    int CodePoint(ref int at)
    {
        int value;
        if (at < pattern.Length && pattern[at] == '{')
        {
            int end = pattern.IndexOf('}', at);
            int start = ++at;
            value = Hexadecimal(ref at, Math.Max(0, end - start));
            at++;
        }
        else
            value = Hexadecimal(ref at, 4);
        return value is <= CharacterSet.Last and not (>= 0xd800 and <= 0xdfff)
            ? value
            : throw parser.Refused("an escape that is no character");
    }

    int Hexadecimal(ref int at, int digits)
    {
        if (digits > 6 || at + digits > pattern.Length
            || !int.TryParse(pattern.AsSpan(at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value))
            throw parser.Refused("an escape without its hexadecimal digits");
        at += digits;
        return value;
    }
}
