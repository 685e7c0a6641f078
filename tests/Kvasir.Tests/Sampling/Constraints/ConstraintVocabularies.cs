using System.Text;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Sampling.Constraints.Masks;
using Kvasir.Inference.Tokenization;
using Kvasir.Tests.Tokenization;

namespace Kvasir.Tests.Sampling.Constraints;

/// <summary>Vocabularies whose tokens cut JSON, characters and escapes in awkward places.</summary>
static class ConstraintVocabularies
{
    static readonly string[] s_pieces =
    [
        "\":", "\": ", "\",", "\", \"", "{\"", "{\"a", "\"}", "\"}}", "}]", "[{\"", "\",\"", "},{\"", "a\":", "true", "false", "null",
        "tr", "ue,", "12", "123", "0.", ".5",
        "-1", "1,", "1}", "e+", "\\u", "\\ud8", "3d\\u", "de00", "\\\"", "\\\\", "\\n", " \"", " {", "\n  ", "  ", "abc", "name",
        "\"name\"", "\"b\":", "value", "é", "😀", "😀\"", "日本", "2024-", "-02-29",
    ];

    /// <summary>Every byte, then pieces, then one token that ends.</summary>
    public static Tokenizer Pieces { get; } = new(VocabulariesByHand.Bytes with
    {
        Tokens = [.. VocabulariesByHand.Bytes.Tokens, .. s_pieces.Select(Spell), "<end>"],
        Types = [.. Enumerable.Repeat(TokenType.Normal, 256 + s_pieces.Length), TokenType.Control],
        Eos = 256 + s_pieces.Length,
    });

    /// <summary>The bytes alone and an end.</summary>
    public static Tokenizer Bytes { get; } = new(VocabulariesByHand.BytesWith("<end>") with { Eos = 256 });

    public static TokenTrie PiecesTrie { get; } = new(Pieces);

    public static TokenTrie BytesTrie { get; } = new(Bytes);

    public static TokenTrie SagaTrie { get; } = new(Vocabularies.Saga);

    static string Spell(string text) => string.Concat(Encoding.UTF8.GetBytes(text).Select(ByteAlphabet.Character));
}
