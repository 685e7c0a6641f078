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

    public bool TryFind(ReadOnlySpan<char> text, out Match match)
    {
        match = default;
        int start = _lengths.Length > 0 ? text.IndexOfAny(_spellings) : -1;
        if (start < 0) return false;
        ReadOnlySpan<char> rest = text[start..];
        foreach (int length in _lengths)
            if (length <= rest.Length && _tokens.TryGetValue(rest[..length], out int token))
            {
                match = new Match(start, length, token);
                return true;
            }
        return false;
    }
}
