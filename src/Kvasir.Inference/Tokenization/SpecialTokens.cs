using System.Buffers;

namespace Kvasir.Inference.Tokenization;

/// <summary>A part of a text: a special token, or what lies between two, where <paramref name="Token"/> is −1.</summary>
readonly record struct Stretch(int Start, int End, int Token)
{
    public int Length => End - Start;
}

/// <summary>
/// Finds the tokens that are recognised by their spelling before anything else: the leftmost first and of those the longest, in one pass
/// whatever their number.
/// </summary>
sealed class SpecialTokens
{
    readonly AddedTokenRules _rules;
    readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _tokens;
    readonly SearchValues<string> _spellings;
    readonly int[] _lengths;

    /// <param name="tokens">The tokens and how they are spelt.</param>
    /// <param name="rules">Where they may stand, and what else they take.</param>
    public SpecialTokens(IEnumerable<(int Token, string Spelling)> tokens, AddedTokenRules rules)
    {
        var bySpelling = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach ((int token, string spelling) in tokens)
            if (spelling.Length > 0)
                bySpelling[spelling] = token;
        _rules = rules;
        _tokens = bySpelling.GetAlternateLookup<ReadOnlySpan<char>>();
        _spellings = SearchValues.Create([.. bySpelling.Keys], StringComparison.Ordinal);
        _lengths = [.. bySpelling.Keys.Select(text => text.Length).Distinct().OrderDescending()];
    }

    public bool IsEmpty => _lengths.Length == 0;

    /// <summary>Cuts a text into special tokens, with the white space that they take, and what lies between them.</summary>
    /// <param name="text">The text.</param>
    /// <param name="accepts">Whether a token counts where it stands; null if all do.</param>
    public List<Stretch> Split(ReadOnlySpan<char> text, Predicate<Stretch>? accepts)
    {
        List<Stretch> stretches = [];
        int done = 0;
        for (int from = 0; TryFind(text, from, accepts, out Stretch match); from = match.End)
        {
            if (!_rules.Fits(text, match))
                continue;
            Stretch token = _rules.WithSpace(text, match, done);
            if (token.Start > done)
                stretches.Add(new Stretch(done, token.Start, -1));
            stretches.Add(token);
            done = token.End;
        }
        if (done < text.Length)
            stretches.Add(new Stretch(done, text.Length, -1));
        return stretches;
    }

    bool TryFind(ReadOnlySpan<char> text, int from, Predicate<Stretch>? accepts, out Stretch match)
    {
        match = default;
        if (IsEmpty) return false;
        for (int next; (next = text[from..].IndexOfAny(_spellings)) >= 0; from++)
        {
            from += next;
            foreach (int length in _lengths)
            {
                if (length > text.Length - from || !_tokens.TryGetValue(text.Slice(from, length), out int token)) continue;
                match = new Stretch(from, from + length, token);
                if (accepts is null || accepts(match)) return true;
            }
        }
        return false;
    }
}
