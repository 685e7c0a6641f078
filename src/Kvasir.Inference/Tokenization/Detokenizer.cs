using System.Buffers;
using System.Text;

namespace Kvasir.Inference.Tokenization;

/// <summary>
/// Turns tokens into text as they come. It never hands out part of a character: bytes wait until the rest has arrived, or until it is
/// certain that they are no UTF-8 and become U+FFFD.
/// </summary>
public sealed class Detokenizer
{
    readonly Tokenizer _tokenizer;
    readonly ControlTokens _controlTokens;
    readonly IReadOnlySet<int>? _spelled;
    readonly Decoder _utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false).GetDecoder();
    bool _dropsSpace;

    /// <summary>Whether a space that comes next is none of the text's.</summary>
    internal bool DropsSpace => _dropsSpace;

    /// <summary>A detokenizer for a text that begins with its first token.</summary>
    public Detokenizer(Tokenizer tokenizer, ControlTokens controlTokens = ControlTokens.Hidden)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        (_tokenizer, _controlTokens) = (tokenizer, controlTokens);
        _dropsSpace = tokenizer.AddsSpacePrefix;
    }

    Detokenizer(Tokenizer tokenizer, ControlTokens controlTokens, IReadOnlySet<int>? spelled) : this(tokenizer, controlTokens) =>
        _spelled = spelled;

    /// <summary>
    /// A detokenizer for what follows a prompt. SentencePiece's extra space is there to be dropped only where the encoder would have put
    /// one: after a special token, not in the middle of text.
    /// </summary>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="prompt">What comes before.</param>
    /// <param name="controlTokens">Whether control tokens are spelt out.</param>
    /// <param name="spelled">Control tokens that are, when others are not.</param>
    public static Detokenizer After(Tokenizer tokenizer, ReadOnlySpan<int> prompt, ControlTokens controlTokens = ControlTokens.Hidden,
        IReadOnlySet<int>? spelled = null)
    {
        var detokenizer = new Detokenizer(tokenizer, controlTokens, spelled);
        detokenizer._dropsSpace &= prompt.IsEmpty || tokenizer.PrefixesEverywhere
            && tokenizer.Type(prompt[^1]) is TokenType.Control or TokenType.Unknown or TokenType.UserDefined;
        return detokenizer;
    }

    /// <summary>Takes a token and returns the text that is certain now, which may be none.</summary>
    public string Append(int token)
    {
        bool isShown = (_controlTokens == ControlTokens.Shown && _tokenizer.Type(token) is TokenType.Control or TokenType.Unknown)
            || _spelled?.Contains(token) == true;
        ReadOnlySpan<byte> bytes = isShown ? Encoding.UTF8.GetBytes(_tokenizer.Text(token)) : DropSpace(_tokenizer.Bytes(token));
        return Decode(bytes, flush: false);
    }

    /// <summary>Ends the text: an unfinished character becomes U+FFFD.</summary>
    public string Flush() => Decode([], flush: true);

    ReadOnlySpan<byte> DropSpace(ReadOnlySpan<byte> bytes)
    {
        if (!_dropsSpace || bytes.IsEmpty) return bytes;
        _dropsSpace = false;
        return bytes[0] == ' ' ? bytes[1..] : bytes;
    }

    string Decode(ReadOnlySpan<byte> bytes, bool flush)
    {
        char[] rented = ArrayPool<char>.Shared.Rent(Encoding.UTF8.GetMaxCharCount(bytes.Length));
        string text = new(rented, 0, _utf8.GetChars(bytes, rented, flush));
        ArrayPool<char>.Shared.Return(rented);
        return text;
    }
}
