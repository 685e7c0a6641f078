using System.Buffers;
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Kvasir.Formats;

namespace Kvasir.Inference.Tokenization;

/// <summary>
/// What else is asked of a token that is found by its spelling, as <c>tokenizer.json</c> says of each: whether it takes the white space
/// around it, stands only where no word goes on, and is looked for in normalised text.
/// </summary>
sealed class AddedTokenRules
{
    readonly FrozenSet<int> _takesBefore, _takesBehind, _isWord, _isNormalized;

    public AddedTokenRules(Vocabulary vocabulary, TokenTable table)
    {
        _takesBefore = Checked(vocabulary, "lstrip", vocabulary.TakesSpaceBefore);
        _takesBehind = IsPhi3(vocabulary) && vocabulary.TakesSpaceBehind.IsEmpty
            ? Enumerable.Range(0, table.Count).Where(token => TakesBehindInPhi3(table, token)).ToFrozenSet()
            : Checked(vocabulary, "rstrip", vocabulary.TakesSpaceBehind);
        _isWord = Checked(vocabulary, "single_word", vocabulary.SingleWords);
        _isNormalized = Checked(vocabulary, "normalized", vocabulary.NormalizedTokens);
    }

    /// <summary>Whether a token may stand for more of a text than its own characters.</summary>
    public bool TakesSpace => _takesBefore.Count + _takesBehind.Count > 0;

    /// <summary>Whether a token is looked for in normalised text, rather than in the text as it came.</summary>
    public bool IsNormalized(int token) => _isNormalized.Contains(token);

    /// <summary>Whether a token may stand here: those that are words do not where one goes on before or behind.</summary>
    public bool Fits(ReadOnlySpan<char> text, Stretch at) =>
        !_isWord.Contains(at.Token) || !EndsInWord(text[..at.Start]) && !BeginsWithWord(text[at.End..]);

    /// <summary>The token and the white space that it takes, but for what is taken already.</summary>
    public Stretch WithSpace(ReadOnlySpan<char> text, Stretch at, int taken)
    {
        int start = _takesBefore.Contains(at.Token) ? Math.Max(taken, text[..at.Start].TrimEnd().Length) : at.Start;
        int end = _takesBehind.Contains(at.Token) ? text.Length - text[at.End..].TrimStart().Length : at.End;
        return at with { Start = start, End = end };
    }

    static bool EndsInWord(ReadOnlySpan<char> text) =>
        Rune.DecodeLastFromUtf16(text, out Rune last, out _) == OperationStatus.Done && IsOfWord(last);

    static bool BeginsWithWord(ReadOnlySpan<char> text) =>
        Rune.DecodeFromUtf16(text, out Rune first, out _) == OperationStatus.Done && IsOfWord(first);

    /// <summary>What <c>\w</c> stands for there: letters, marks, digits, what joins them, and letters in circles and squares.</summary>
    static bool IsOfWord(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is <= UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation
        || rune.Value is 0x200C or 0x200D or >= 0x24B6 and <= 0x24E9 or >= 0x1F130 and <= 0x1F149 or >= 0x1F150 and <= 0x1F169
            or >= 0x1F170 and <= 0x1F189;

    static FrozenSet<int> Checked(Vocabulary vocabulary, string rule, ImmutableArray<int> tokens)
    {
        foreach (int token in tokens)
            if (token < 0 || token >= vocabulary.Tokens.Length)
                throw ModelFormatException.At(
                    vocabulary.Source, Vocabulary.Own + rule, $"{token}", $"a token from 0 to {vocabulary.Tokens.Length - 1}");
        return tokens.ToFrozenSet();
    }

    /// <summary>Phi-3's GGUF files tell of this rule by no more than their name.</summary>
    static bool IsPhi3(Vocabulary vocabulary) => vocabulary.Name.Contains("phi-3", StringComparison.OrdinalIgnoreCase)
        || vocabulary.Name.Contains("phi3", StringComparison.OrdinalIgnoreCase);

    static bool TakesBehindInPhi3(TokenTable table, int token) =>
        table.Type(token) is TokenType.Control or TokenType.UserDefined or TokenType.Unknown
        && table.Text(token) is not ("<unk>" or "<s>" or "<|endoftext|>");
}
