using System.Text;

namespace Kvasir.Inference.Tokenization;

/// <summary>
/// Encodes text with special tokens in it, in the order of Hugging Face's tokenizers: it is cut at the tokens that are looked for in text
/// as it comes; what lies between is normalised, and cut at those that are looked for then; the rest is encoded.
/// </summary>
sealed class SplitEncoder
{
    const char Space = '▁';

    readonly Vocabulary _vocabulary;
    readonly TextEncoder _encoder;
    readonly SpecialTokens _tokens, _normalizedTokens;
    readonly bool _isOfPieces;

    /// <param name="vocabulary">What the file says.</param>
    /// <param name="table">Its tokens.</param>
    /// <param name="rules">Rules of single tokens.</param>
    /// <param name="encoder">Encodes what lies between special tokens.</param>
    /// <param name="special">The types of tokens that count as special.</param>
    public SplitEncoder(
        Vocabulary vocabulary, TokenTable table, AddedTokenRules rules, TextEncoder encoder, params ReadOnlySpan<TokenType> special)
    {
        (_vocabulary, _encoder, _isOfPieces) = (vocabulary, encoder, encoder is SentencePieceEncoder);
        List<(int, string)> asTheyCome = [], normalized = [];
        for (int token = 0; token < table.Count; token++)
            if (special.Contains(table.Type(token)))
                if (rules.IsNormalized(token))
                    normalized.Add((token, Normalize(table.Text(token), isFirst: true).Text));
                else
                    asTheyCome.Add((token, table.Text(token)));
        (_tokens, _normalizedTokens) = (new SpecialTokens(asTheyCome, rules), new SpecialTokens(normalized, rules));
    }

    /// <summary>Appends the tokens of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="accepts">Whether a special token counts where it stands in the text; null if all do.</param>
    /// <param name="tokens">Receives the tokens.</param>
    public void Encode(string text, Predicate<Stretch>? accepts, List<int> tokens)
    {
        string whole = WellFormed(text);
        foreach (Stretch stretch in _tokens.Split(whole, accepts))
            if (stretch.Token >= 0)
                tokens.Add(stretch.Token);
            else if (_normalizedTokens.IsEmpty && !_vocabulary.IsFormC)
                Encode(whole.AsSpan(stretch.Start, stretch.Length), stretch.Start == 0, tokens);
            else
                EncodeNormalized(whole[stretch.Start..stretch.End], stretch.Start, accepts, tokens);
    }

    void EncodeNormalized(string raw, int start, Predicate<Stretch>? accepts, List<int> tokens)
    {
        if (_normalizedTokens.IsEmpty)
        {
            Encode(NormalText.InFormC(raw).Text, start == 0, tokens);
            return;
        }
        NormalText normal = Normalize(raw, start == 0);
        foreach (Stretch stretch in _normalizedTokens.Split(normal.Text, accepts is null ? null : at => accepts(Raw(at))))
            if (stretch.Token >= 0)
                tokens.Add(stretch.Token);
            else if (_isOfPieces && !_vocabulary.IsMetaspace) // spaces are done
                _encoder.Encode(normal.Text.AsSpan(stretch.Start, stretch.Length), addsSpace: false, tokens);
            else
                Encode(normal.Text.AsSpan(stretch.Start, stretch.Length), Raw(stretch).Start == 0, tokens);

        Stretch Raw(Stretch at)
        {
            (int from, int length) = normal.Source(at.Start, at.Length);
            return new Stretch(start + from, start + from + length, at.Token);
        }
    }

    void Encode(ReadOnlySpan<char> text, bool isFirst, List<int> tokens) =>
        _encoder.Encode(text, AddsSpace(isFirst) && !(_vocabulary.IsMetaspace && text[0] is ' ' or Space), tokens);

    bool AddsSpace(bool isFirst) => _isOfPieces && _vocabulary.AddSpacePrefix && (isFirst || !_vocabulary.PrefixesFirstOnly);

    /// <summary>Metaspace is no normaliser: it comes after all tokens have been found.</summary>
    NormalText Normalize(string text, bool isFirst)
    {
        NormalText normal = _vocabulary.IsFormC ? NormalText.InFormC(text) : NormalText.Of(text);
        return _isOfPieces && !_vocabulary.IsMetaspace ? normal.WithSpaces(Space, AddsSpace(isFirst)) : normal;
    }

    /// <summary>
    /// Lone surrogates have no UTF-8; everything behind this point may rely on pairs. U+FFFD takes their places one by one.
    /// </summary>
    static string WellFormed(string text) => text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF')
        ? Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text))
        : text;
}
