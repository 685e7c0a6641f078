using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Kvasir.Inference.Tokenization;

/// <summary>
/// Cuts text into words, inside which alone tokens are joined. Each pattern in turn cuts every piece that those before it left, and what
/// lies between its matches is a piece as well.
/// </summary>
sealed class PreTokenizer(params Regex[] patterns)
{
    /// <summary>A whole word that is in the vocabulary is that token, whatever the merges would make of it.</summary>
    public bool WholeWordsFirst { get; init; }

    /// <summary>Whether sequences begin with BOS where the file does not say.</summary>
    public bool AddsBos { get; init; }

    /// <summary>The ends of the words of well-formed UTF-16, in ascending order.</summary>
    public List<int> Split(ReadOnlySpan<char> text)
    {
        if (!text.ContainsAnyInRange('\uD800', '\uDFFF')) return Cut(text);
        char[] standIns = ArrayPool<char>.Shared.Rent(text.Length);
        try
        {
            List<int> ends = Cut(standIns.AsSpan(0, Collapse(text, standIns)));
            Expand(text, ends);
            return ends;
        }
        finally
        {
            ArrayPool<char>.Shared.Return(standIns);
        }
    }

    List<int> Cut(ReadOnlySpan<char> text)
    {
        List<int> ends = [text.Length];
        foreach (Regex pattern in patterns)
            ends = Cut(text, ends, pattern);
        return ends;
    }

    static List<int> Cut(ReadOnlySpan<char> text, List<int> ends, Regex pattern)
    {
        List<int> finer = new(ends.Count);
        int start = 0;
        foreach (int end in ends)
        {
            int done = start;
            foreach (ValueMatch match in pattern.EnumerateMatches(text[start..end]))
            {
                if (match.Length == 0) continue;
                if (start + match.Index > done) finer.Add(start + match.Index);
                finer.Add(done = start + match.Index + match.Length);
            }
            if (done < end) finer.Add(end);
            start = end;
        }
        return finer;
    }

    /// <summary>
    /// .NET matches UTF-16 units, in which a letter beyond U+FFFF is two surrogates and no letter. The patterns see a character of the
    /// same category in its place.
    /// </summary>
    static int Collapse(ReadOnlySpan<char> text, Span<char> standIns)
    {
        int count = 0;
        foreach (Rune rune in text.EnumerateRunes())
            standIns[count++] = rune.IsBmp ? (char)rune.Value : StandIn(Rune.GetUnicodeCategory(rune));
        return count;
    }

    /// <summary>Turns ends that count characters into ends that count UTF-16 units.</summary>
    static void Expand(ReadOnlySpan<char> text, List<int> ends)
    {
        int unit = 0, character = 0;
        for (int i = 0; i < ends.Count; i++)
        {
            for (; character < ends[i]; character++)
                unit += char.IsHighSurrogate(text[unit]) ? 2 : 1;
            ends[i] = unit;
        }
    }

    /// <summary>None of these is in a range that a pattern spells out.</summary>
    static char StandIn(UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter => 'À',
        UnicodeCategory.LowercaseLetter => 'à',
        UnicodeCategory.TitlecaseLetter => '\u01C5',
        UnicodeCategory.ModifierLetter => '\u02B0',
        UnicodeCategory.OtherLetter => '\u01BB',
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => '\u0300',
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => '\u00B2',
        >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation => '\u00A1',
        >= UnicodeCategory.MathSymbol and <= UnicodeCategory.OtherSymbol => '\u00A9',
        _ => '\uE000',
    };
}
