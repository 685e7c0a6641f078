using System.Buffers;
using System.Collections.Frozen;
using System.Globalization;

namespace Kvasir.Inference.Tokenization;

/// <summary>
/// What Unicode says of marks and of characters that can be written in several ways: the order of marks, and what is put together. It is
/// read of <c>canonical.txt</c>, since a program without cultures, as ours is, gets no such data from .NET.
/// </summary>
sealed class CanonicalForms
{
    const int SyllableBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TailBase = 0x11A7; // Hangul follows a formula
    const int Leads = 19, Vowels = 21, Tails = 28, Syllables = Leads * Vowels * Tails;

    static readonly Lazy<CanonicalForms> s_unicode = new(() => new CanonicalForms());

    readonly FrozenDictionary<int, byte> _classes;
    readonly FrozenDictionary<int, (int First, int Second)> _apart;
    readonly FrozenDictionary<(int First, int Second), int> _together;

    CanonicalForms()
    {
        Dictionary<int, byte> classes = [];
        Dictionary<int, (int, int)> apart = [];
        Dictionary<(int, int), int> together = [];
        SortedSet<char> changing = [.. Range(VowelBase, Vowels), .. Range(TailBase + 1, Tails - 1)];
        foreach (string line in Lines())
        {
            string[] words = line.Split(' ');
            if (words is [var range, var order])
                foreach (int mark in Marks(range))
                {
                    classes[mark] = byte.Parse(order, CultureInfo.InvariantCulture);
                    changing.Add(FirstUnit(mark));
                }
            else if (words is [var whole, var ways, var first, .. var rest])
            {
                (int, int) pair = (Parse(first), rest is [var second] ? Parse(second) : 0);
                apart[Parse(whole)] = pair;
                if (ways == "=")
                    together[pair] = Parse(whole);
                changing.Add(FirstUnit(ways == "=" ? pair.Item2 : Parse(whole)));
            }
        }
        (_classes, _apart, _together) = (classes.ToFrozenDictionary(), apart.ToFrozenDictionary(), together.ToFrozenDictionary());
        Changing = SearchValues.Create([.. changing]);
    }

    public static CanonicalForms Unicode => s_unicode.Value;

    /// <summary>Without one of these a text is in form C already.</summary>
    public SearchValues<char> Changing { get; }

    /// <summary>The place of a mark among those of a character; 0 for what is no mark.</summary>
    public byte Class(int rune) => _classes.GetValueOrDefault(rune);

    /// <summary>The two that a character is made of, or another one that it stands for, and 0.</summary>
    public bool TryTakeApart(int rune, out (int First, int Second) parts)
    {
        int syllable = rune - SyllableBase, tail = syllable % Tails;
        if (syllable is < 0 or >= Syllables)
            return _apart.TryGetValue(rune, out parts);
        parts = tail > 0
            ? (rune - tail, TailBase + tail)
            : (LeadBase + syllable / (Vowels * Tails), VowelBase + syllable / Tails % Vowels);
        return true;
    }

    /// <summary>The character that two are written as.</summary>
    public bool TryPutTogether(int first, int second, out int whole)
    {
        int lead = first - LeadBase, vowel = second - VowelBase, syllable = first - SyllableBase, tail = second - TailBase;
        if (lead is >= 0 and < Leads && vowel is >= 0 and < Vowels)
        {
            whole = SyllableBase + (lead * Vowels + vowel) * Tails;
            return true;
        }
        if (syllable is >= 0 and < Syllables && syllable % Tails == 0 && tail is > 0 and < Tails)
        {
            whole = first + tail;
            return true;
        }
        return _together.TryGetValue((first, second), out whole);
    }

    static IEnumerable<char> Range(int first, int count) => Enumerable.Range(first, count).Select(rune => (char)rune);

    static IEnumerable<int> Marks(string range)
    {
        string[] ends = range.Split('-');
        return Enumerable.Range(Parse(ends[0]), Parse(ends[^1]) - Parse(ends[0]) + 1);
    }

    static int Parse(string digits) => int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    static char FirstUnit(int rune) => char.ConvertFromUtf32(rune)[0];

    static IEnumerable<string> Lines()
    {
        using Stream stream = typeof(CanonicalForms).Assembly.GetManifestResourceStream("canonical.txt")!;
        using StreamReader reader = new(stream);
        while (reader.ReadLine() is { } line)
            if (line[0] != '#')
                yield return line;
    }
}
