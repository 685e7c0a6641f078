namespace Kvasir.Inference.Tokenization;

/// <summary>Turns text without special tokens into tokens, and a token's spelling back into bytes.</summary>
abstract class TextEncoder
{
    /// <summary>Appends the tokens of a stretch of well-formed text.</summary>
    /// <param name="text">The stretch.</param>
    /// <param name="addsSpace">Whether SentencePiece's space goes before it.</param>
    /// <param name="tokens">Receives the tokens.</param>
    public abstract void Encode(ReadOnlySpan<char> text, bool addsSpace, List<int> tokens);

    /// <summary>Appends the bytes that a normal token's spelling stands for.</summary>
    public abstract void Spell(string text, List<byte> bytes);
}
