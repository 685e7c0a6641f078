using System.Text;
using Kvasir.Inference.Sampling.Constraints.Masks;
using Kvasir.Inference.Sampling.Constraints.Nodes;

namespace Kvasir.Inference.Sampling.Constraints;

/// <summary>
/// One completion that is held to a grammar. Before each token <see cref="Mask"/> takes away what could not lead to a text of the grammar;
/// what was chosen goes to <see cref="Accept"/>. For one thread at a time.
/// </summary>
public sealed class ConstrainedText
{
    readonly TokenTrie _trie;
    readonly StateBuilder _builder = new();
    readonly AllowedTokens _allowed;
    readonly Spelling[] _spelled;
    GrammarState _state;
    GrammarState? _found; // the state that the allowed tokens were found for
    bool _dropsSpace;

    /// <summary>A completion without any token yet.</summary>
    /// <param name="grammar">What the text may be.</param>
    /// <param name="trie">The model's tokens.</param>
    /// <param name="dropsLeadingSpace">Whether the decoder drops a space at the start of the first token, as SentencePiece's does
    /// after a control token.</param>
    /// <param name="spelled">Control tokens that stand for the text that the vocabulary spells them with.</param>
    public ConstrainedText(OutputGrammar grammar, TokenTrie trie, bool dropsLeadingSpace = false, IReadOnlySet<int>? spelled = null)
    {
        ArgumentNullException.ThrowIfNull(grammar);
        ArgumentNullException.ThrowIfNull(trie);
        _trie = trie;
        _allowed = new AllowedTokens(trie, _builder);
        _state = _builder.Start(grammar.Root)!;
        _dropsSpace = dropsLeadingSpace;
        _spelled = [.. (spelled ?? new HashSet<int>())
            .Select(token => new Spelling(token, Encoding.UTF8.GetBytes(trie.Tokenizer.Text(token))))];
    }

    /// <summary>The same behind a text that is there already.</summary>
    /// <exception cref="ArgumentException">No text of the grammar begins so.</exception>
    public ConstrainedText After(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        _state = _builder.Read(_state, Encoding.UTF8.GetBytes(text))
            ?? throw new ArgumentException($"no text of the grammar begins with {Formats.Printable.Quote(text)}", nameof(text));
        return this;
    }

    /// <summary>Whether the text may end here.</summary>
    public bool IsComplete => _state.IsComplete;

    /// <summary>Whether nothing but an end may follow.</summary>
    public bool MustEnd => _state.Readings.IsEmpty;

    /// <summary>Whether an end was accepted.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Sets the logit of every token that may not come next to −∞.</summary>
    /// <param name="logits">[vocabulary or more]</param>
    /// <param name="avoidsEnds">Whether an end may come only where nothing else may.</param>
    /// <exception cref="UnspellableTextException">No token is left: the vocabulary cannot spell what has to come.</exception>
    public void Mask(Span<float> logits, bool avoidsEnds = false)
    {
        if (logits.Length < _trie.Tokenizer.VocabularySize)
            throw new ArgumentException($"{logits.Length} logits, expected at least {_trie.Tokenizer.VocabularySize}", nameof(logits));
        Find();
        foreach (Spelling spelling in _spelled)
            spelling.Logit = Fits(spelling) ? logits[spelling.Token] : null;
        if (_allowed.Set.IsEmpty && !Array.Exists(_spelled, spelling => spelling.Logit is not null))
            throw new UnspellableTextException(
                "no token of the vocabulary can go on with the text, expected tokens for all bytes that the grammar needs");
        _allowed.Set.Mask(logits);
        foreach (Spelling spelling in _spelled)
            logits[spelling.Token] = spelling.Logit ?? logits[spelling.Token];
        if (avoidsEnds && IsComplete && _allowed.Set.Count > _trie.Tokenizer.Ends.Count)
            foreach (int end in _trie.Tokenizer.Ends)
                logits[end] = float.NegativeInfinity;
    }

    /// <summary>Goes on with a token.</summary>
    /// <exception cref="ArgumentException">The token may not come here.</exception>
    public void Accept(int token)
    {
        if (HasEnded || !TryAccept(token))
            throw new ArgumentException($"token {token} may not come here, expected one that the mask left", nameof(token));
    }

    /// <summary>Whether a token may come next.</summary>
    internal bool Allows(int token)
    {
        Find();
        return _allowed.Set.Contains(token);
    }

    bool TryAccept(int token)
    {
        if (_trie.Tokenizer.Ends.Contains(token))
            return HasEnded = IsComplete;
        ReadOnlySpan<byte> bytes = Array.Find(_spelled, spelling => spelling.Token == token)?.Bytes ?? _trie.Tokenizer.Bytes(token);
        if (bytes.Length is 0 or > TokenTrie.MaxTokenBytes || (_dropsSpace && MustEnd))
            return false;
        if (_builder.Read(_state, _dropsSpace && bytes[0] == ' ' ? bytes[1..] : bytes) is not { } state)
            return false;
        (_state, _dropsSpace) = (state, false);
        return true;
    }

    /// <summary>Whether a control token's spelling may come next.</summary>
    bool Fits(Spelling spelling) => _builder.Read(_state, spelling.Bytes) is not null;

    /// <summary>Inside a string, one token after the other finds the state as it was.</summary>
    void Find()
    {
        if (_found?.IsLike(_state) == true)
            return;
        if (_dropsSpace)
            _allowed.FindFirst(_state);
        else
            _allowed.Find(_state);
        _found = _dropsSpace ? null : _state;
    }

    /// <summary>A control token and the text that it stands for, with its logit while others are masked.</summary>
    sealed class Spelling(int token, byte[] bytes)
    {
        public int Token => token;

        public byte[] Bytes => bytes;

        public float? Logit { get; set; }
    }
}
