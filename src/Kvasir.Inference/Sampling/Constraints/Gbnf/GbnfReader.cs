using Kvasir.Formats;

namespace Kvasir.Inference.Sampling.Constraints.Gbnf;

/// <summary>A grammar's text and how far it is read.</summary>
sealed class GbnfReader(string text)
{
    public int At { get; private set; }

    public bool IsOver => At == text.Length;

    /// <summary>The next character, or NUL at the end.</summary>
    public char Peek => IsOver ? '\0' : text[At];

    public bool IsLineEnd => Peek is '\n' or '\r';

    public bool Is(string next) => string.CompareOrdinal(text, At, next, 0, next.Length) == 0;

    public bool Take(string expected)
    {
        bool isThere = Is(expected);
        At += isThere ? expected.Length : 0;
        return isThere;
    }

    /// <summary>The next code point.</summary>
    public int TakeCharacter()
    {
        int character = char.IsSurrogatePair(text, At) ? char.ConvertToUtf32(text, At) : text[At];
        At += character > char.MaxValue ? 2 : 1;
        return char.IsSurrogate((char)character) && character <= char.MaxValue ? throw Refused("Unicode", At - 1) : character;
    }

    public string TakeWhile(Func<char, bool> belongs, int most = int.MaxValue)
    {
        int start = At;
        while (!IsOver && At - start < most && belongs(Peek))
            At++;
        return text[start..At];
    }

    /// <summary>Spaces and comments, and line ends where they mean nothing.</summary>
    public void SkipSpace(bool lines)
    {
        while (Peek is ' ' or '\t' or '#' || (lines && IsLineEnd))
            if (Peek == '#')
                TakeWhile(character => character is not ('\n' or '\r'));
            else
                At++;
    }

    /// <summary>Goes over line ends if one character follows them.</summary>
    public bool SkipLinesTo(char next)
    {
        int start = At;
        SkipSpace(lines: true);
        if (Peek == next && !IsOver)
            return true;
        At = start;
        return false;
    }

    public GbnfException Refused(string expected, int? at = null)
    {
        int place = at ?? At;
        int line = 1 + text.AsSpan(0, place).Count('\n'), column = place - (text.AsSpan(0, place).LastIndexOf('\n') + 1) + 1;
        string seen = place == text.Length ? "the end" : Printable.Quote(text.Substring(place, Math.Min(20, text.Length - place)));
        return new($"line {line}, column {column}: {seen}, expected {expected}");
    }
}
