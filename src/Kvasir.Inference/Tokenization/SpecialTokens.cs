using System.Buffers;

namespace Kvasir.Inference.Tokenization;

/// <summary>
/// Finds the tokens that are recognised by their spelling before anything else: the leftmost first and of those the longest, in one pass
/// whatever their number.
/// </summary>
sealed class SpecialTokens
{
    readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _tokens;
    readonly SearchValues<string> _spellings;
    readonly int[] _lengths;

    /// <summary>Tokens of these types.</summary>
    public SpecialTokens(TokenTable table, params ReadOnlySpan<TokenType> types)
    {
        var tokens = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int id = 0; id < table.Count; id++)
            if (types.Contains(table.Type(id)) && table.Text(id).Length > 0)
                tokens[table.Text(id)] = id;
        _tokens = tokens.GetAlternateLookup<ReadOnlySpan<char>>();
        _spellings = SearchValues.Create([.. tokens.Keys], StringComparison.Ordinal);
        _lengths = [.. tokens.Keys.Select(text => text.Length).Distinct().OrderDescending()];
    }

    /// <summary>Where a special token stands in text.</summary>
    public readonly record struct Match(int Start, int Length, int Token);

    /// <param name="text">Where to look.</param>
    /// <param name="from">Where to begin.</param>
    /// <param name="accepts">Whether a match counts; null if all do.</param>
    /// <param name="match">The first match that counts.</param>
    public bool TryFind(ReadOnlySpan<char> text, int from, Predicate<Match>? accepts, out Match match)
    {
        match = default;
        if (_lengths.Length == 0) return false;
        for (int next; (next = text[from..].IndexOfAny(_spellings)) >= 0; from++)
        {
            from += next;
            foreach (int length in _lengths)
            {
                if (length > text.Length - from || !_tokens.TryGetValue(text.Slice(from, length), out int token)) continue;
                match = new Match(from, length, token);
                if (accepts is null || accepts(match)) return true;
            }
        }
        return false;
    }
}
