namespace Kvasir.Inference.Tokenization;

/// <summary>Turns text without special tokens into tokens, and a token's spelling back into bytes.</summary>
abstract class TextEncoder
{
    /// <summary>Appends the tokens of a stretch of well-formed text that begins the sequence or follows a special token.</summary>
    public abstract void Encode(ReadOnlySpan<char> text, List<int> tokens);

    /// <summary>Appends the bytes that a normal token's spelling stands for.</summary>
    public abstract void Spell(string text, List<byte> bytes);
}
