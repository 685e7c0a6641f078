using Kvasir.Inference.Tokenization;

namespace Kvasir.Tests.Tokenization;

/// <summary>The smallest vocabularies that work, to be broken one field at a time.</summary>
static class VocabulariesByHand
{
    /// <summary>Byte-level BPE with a token for each byte, its id the byte, and nothing else.</summary>
    public static Vocabulary Bytes { get; } = new()
    {
        Source = "bytes.gguf",
        Model = "gpt2",
        Pre = "qwen2",
        Tokens = [.. Enumerable.Range(0, 256).Select(value => ByteAlphabet.Character((byte)value).ToString())],
    };

    /// <summary>SentencePiece with its three special tokens, the bytes and a few pieces.</summary>
    public static Vocabulary Pieces { get; } = new()
    {
        Source = "pieces.gguf",
        Model = "llama",
        Tokens = ["<unk>", "<s>", "</s>", .. Enumerable.Range(0, 256).Select(value => $"<0x{value:X2}>"), "▁", "a", "b", "ab", "▁a"],
        Types =
        [
            TokenType.Unknown, TokenType.Control, TokenType.Control,
            .. Enumerable.Repeat(TokenType.Byte, 256), .. Enumerable.Repeat(TokenType.Normal, 5),
        ],
        Scores = [.. Enumerable.Range(0, 264).Select(id => -(float)id)],
    };

    /// <summary>The bytes and more tokens, which are control tokens.</summary>
    public static Vocabulary BytesWith(params string[] control) => Bytes with
    {
        Tokens = [.. Bytes.Tokens, .. control],
        Types = [.. Enumerable.Repeat(TokenType.Normal, 256), .. Enumerable.Repeat(TokenType.Control, control.Length)],
    };
}
