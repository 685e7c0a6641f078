namespace Kvasir.Inference.Sampling.Constraints.Automata;

/// <summary>A set of Unicode characters as ranges of code points, in order and apart from each other.</summary>
sealed class CharacterSet
{
    public const int Last = 0x10ffff;

    CharacterSet(IEnumerable<(int First, int Last)> ranges)
    {
        List<(int First, int Last)> merged = [];
        foreach ((int first, int last) in ranges.OrderBy(range => range.First))
            if (merged.Count > 0 && first <= merged[^1].Last + 1)
                merged[^1] = (merged[^1].First, Math.Max(merged[^1].Last, last));
            else
                merged.Add((first, last));
        Ranges = merged;
    }

    public IReadOnlyList<(int First, int Last)> Ranges { get; }

    public static CharacterSet All { get; } = Range(0, Last);
    public static CharacterSet Digits { get; } = Range('0', '9');
    public static CharacterSet WordCharacters { get; } = new([('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]);

    /// <summary>ECMAScript's white space and line ends.</summary>
    public static CharacterSet Spaces { get; } =
        new([(9, 13), (32, 32), (0xa0, 0xa0), (0x1680, 0x1680), (0x2000, 0x200a), (0x2028, 0x2029), (0x202f, 0x202f), (0x205f, 0x205f),
            (0x3000, 0x3000), (0xfeff, 0xfeff)]);

    /// <summary>What ECMAScript's dot means: all but line ends.</summary>
    public static CharacterSet Dot { get; } = new CharacterSet([(10, 10), (13, 13), (0x2028, 0x2029)]).Complement();

    public static CharacterSet Range(int first, int last) => new([(first, last)]);

    public static CharacterSet Of(int character) => Range(character, character);

    public static CharacterSet Union(IEnumerable<CharacterSet> sets) => new(sets.SelectMany(set => set.Ranges));

    public CharacterSet Complement()
    {
        List<(int, int)> gaps = [];
        int next = 0;
        foreach ((int first, int last) in Ranges)
        {
            if (first > next)
                gaps.Add((next, first - 1));
            next = last + 1;
        }
        if (next <= Last)
            gaps.Add((next, Last));
        return new CharacterSet(gaps);
    }

    public CharacterSet And(CharacterSet other) => Union([Complement(), other.Complement()]).Complement();

    public bool Contains(int character) => Ranges.Any(range => range.First <= character && character <= range.Last);
}
