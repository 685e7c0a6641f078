namespace Kvasir.Formats;

/// <summary>What somebody may have meant who typed a name that is not there.</summary>
public static class Spelling
{
    const int MostLetters = 64;

    /// <summary>Names like the one that was typed, the most like it first.</summary>
    /// <param name="typed">What was typed.</param>
    /// <param name="known">The names that there are.</param>
    /// <param name="most">How far they may be from it: a letter too many or another one counts 2, and one too few 1, since
    /// names are often cut short.</param>
    public static IEnumerable<string> Near(string typed, IEnumerable<string> known, int most = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(typed);
        return known.Select(name => (Name: name, Distance: Distance(name, typed))).Where(near => near.Distance <= most)
            .OrderBy(near => near.Distance).ThenBy(near => near.Name, StringComparer.Ordinal).Select(near => near.Name);
    }

    /// <summary>Letters to insert, delete or replace (Levenshtein, 1966).</summary>
    static int Distance(string known, string typed)
    {
        int[] row = [.. Enumerable.Range(0, known.Length + 1)];
        foreach (char letter in typed.AsSpan()[..Math.Min(typed.Length, MostLetters)])
        {
            int diagonal = row[0];
            row[0] += 2;
            for (int i = 1; i < row.Length; i++)
                (row[i], diagonal) = (Math.Min(Math.Min(row[i] + 2, row[i - 1] + 1), diagonal + (known[i - 1] == letter ? 0 : 2)), row[i]);
        }
        return row[^1];
    }
}
