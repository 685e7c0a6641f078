using Kvasir.Formats;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Tests.Tokenization;

/// <summary>A vocabulary that contradicts itself is refused in one line that says where; what real files get wrong is borne.</summary>
public sealed class HostileVocabularyTests
{
    static readonly Vocabulary s_bytes = VocabulariesByHand.Bytes;
    static readonly Vocabulary s_pieces = VocabulariesByHand.Pieces;

    static readonly Dictionary<string, Vocabulary> s_broken = new()
    {
        ["tokenizer.ggml.model: 'bert', expected 'gpt2' or 'llama'"] = s_bytes with { Model = "bert" },
        ["tokenizer.ggml.pre: 'no\\u{1b}such', expected one of a.x-4.0, "] = s_bytes with { Pre = "no\u001bsuch" },
        ["tokenizer.ggml.tokens: no tokens, expected at least one"] = s_bytes with { Tokens = [] },
        ["tokenizer.ggml.tokens: no token of a single byte, expected "] = s_bytes with { Tokens = ["hello", "world"] },
        ["tokenizer.ggml.token_type: 2 types, expected 256"] = s_bytes with { Types = [TokenType.Normal, TokenType.Normal] },
        ["tokenizer.ggml.scores: 2 scores, expected 264"] = s_pieces with { Scores = [1, 2] },
        ["tokenizer.ggml.scores: NaN for token 3, expected numbers"] = s_pieces with { Scores = s_pieces.Scores.SetItem(3, float.NaN) },
        ["tokenizer.ggml.merges: 'ab' at index 0, expected two tokens"] = s_bytes with { Merges = ["ab"] },
        ["tokenizer.ggml.merges: '' at index 0, expected two tokens"] = s_bytes with { Merges = [""] },
        ["tokenizer.ggml.merges: ' ' at index 0, expected two tokens"] = s_bytes with { Merges = [" "] },
        ["tokenizer.ggml.merges: 'a ' at index 0, expected two tokens"] = s_bytes with { Merges = ["a "] },
        ["tokenizer.ggml.merges: 'a b' at index 0, expected 'ab' to be in the vocabulary"] = s_bytes with { Merges = ["a b"] },
        ["tokenizer.ggml.merges: 'xy b' at index 0, expected 'xy' to be in the vocabulary"] = s_bytes with { Merges = ["xy b"] },
        ["tokenizer.ggml.bos_token_id: 256, expected a token from 0 to 255"] = s_bytes with { Bos = 256 },
        ["tokenizer.ggml.eos_token_id: -2, expected"] = s_bytes with { Eos = -2 },
        ["tokenizer.ggml.eot_token_id: 4294967296, expected"] = s_bytes with { Eot = 1L << 32 },
        ["tokenizer.ggml.eom_token_id: 9223372036854775807, expected"] = s_bytes with { Eom = long.MaxValue },
        ["tokenizer.ggml.unknown_token_id: 999, expected"] = s_bytes with { Unknown = 999 },
        ["tokenizer.ggml.padding_token_id: 999, expected"] = s_bytes with { Pad = 999 },
        ["tokenizer.ggml.add_bos_token: true without such a token, expected its id"] = s_bytes with { AddBos = true },
        ["tokenizer.ggml.tokens: '<0xZZ>' at index 3, of type byte, expected the form <0x0A>"] =
            s_pieces with { Tokens = s_pieces.Tokens.SetItem(3, "<0xZZ>") },
        ["tokenizer.ggml.tokens: '' at index 3, of type byte, expected the form <0x0A>"] =
            s_pieces with { Tokens = s_pieces.Tokens.SetItem(3, "") },
    };

    public static TheoryData<string> Broken => [.. s_broken.Keys];

    [Theory, MemberData(nameof(Broken))]
    public void A_contradiction_is_refused_in_one_line(string message)
    {
        Vocabulary vocabulary = s_broken[message];

        var refusal = Assert.Throws<ModelFormatException>(() => new Tokenizer(vocabulary));

        Assert.StartsWith($"{vocabulary.Source}: {message}", refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refusal.Message);
    }

    [Fact]
    public void SentencePiece_without_bytes_needs_an_unknown_token()
    {
        Vocabulary few = s_pieces with { Tokens = ["a", "b"], Types = [], Scores = [], AddSpacePrefix = false };

        Assert.Equal([0], new Tokenizer(few with { Unknown = 0 }).Encode("é").Distinct());
        var refusal = Assert.Throws<ModelFormatException>(() => new Tokenizer(few));
        Assert.Contains("tokens: neither a token <0x00> nor an unknown token, expected", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_repeated_or_empty_token_is_borne()
    {
        var tokenizer = new Tokenizer(s_bytes with { Tokens = [.. s_bytes.Tokens, "a", "", ""], Types = [] });

        Assert.Equal([256], tokenizer.Encode("a"));
        Assert.Equal("a", tokenizer.Decode([97]));
        Assert.Null(tokenizer.Find(""));
    }

    [Fact]
    public void An_empty_control_token_is_never_found()
    {
        var tokenizer = new Tokenizer(VocabulariesByHand.BytesWith("", "<x>"));
        Assert.Equal(["a", "<x>", "b"], tokenizer.EncodeTemplate("a<x>b").Select(tokenizer.Text));
    }

    [Fact]
    public void More_scores_and_types_than_tokens_are_borne()
    {
        Vocabulary more = s_pieces with { Scores = s_pieces.Scores.Add(7), Types = s_pieces.Types.Add(TokenType.Control) };
        Assert.Equal(["▁", "ab"], Spelt(more, "ab"));
    }

    [Fact]
    public void A_byte_without_a_token_is_left_out()
    {
        var tokenizer = new Tokenizer(s_bytes with { Tokens = [.. s_bytes.Tokens.Select((text, id) => id == 4 ? "nothing" : text)] });
        Assert.Equal("ab", tokenizer.Decode(tokenizer.Encode("a\u0004b")));
    }

    [Fact]
    public void Scores_without_an_end_still_give_an_order()
    {
        IEnumerable<float> scores = [.. Enumerable.Repeat(float.NegativeInfinity, 130), .. Enumerable.Repeat(float.PositiveInfinity, 134)];
        Vocabulary odd = s_pieces with { Scores = [.. scores] };
        Assert.Equal(["▁a", "b"], Spelt(odd, "ab"));
    }

    [Fact]
    public void Types_that_nobody_knows_are_treated_as_nothing()
    {
        var tokenizer = new Tokenizer(s_bytes with { Types = [.. Enumerable.Repeat((TokenType)12345, 256)] });
        Assert.Equal("", tokenizer.Decode(tokenizer.Encode("abc")));
    }

    [Fact]
    public void Thousands_of_nested_control_tokens_are_found_the_longest_first()
    {
        string[] nested = [.. Enumerable.Range(1, 2_000).Select(length => new string('<', length))];
        var tokenizer = new Tokenizer(VocabulariesByHand.BytesWith(nested));
        Assert.Equal(50, tokenizer.EncodeTemplate(new string('<', 100_000)).Length);
    }

    [Fact]
    public void User_text_cannot_become_bos_through_the_merges()
    {
        Vocabulary vocabulary = VocabulariesByHand.BytesWith("<s>") with { Merges = ["< s", "<s >"] };
        Vocabulary joined = vocabulary with { Tokens = [.. vocabulary.Tokens, "<s"], Types = vocabulary.Types.Add(TokenType.Normal) };

        Assert.Equal(["<s", ">"], Spelt(joined, "<s>"));
    }

    [Fact]
    public void A_frame_is_a_control_token_even_if_the_file_calls_it_text()
    {
        Vocabulary vocabulary = VocabulariesByHand.BytesWith("<|im_start|>", "<|im_end|>") with { Types = [] };
        var tokenizer = new Tokenizer(vocabulary);

        Assert.Equal(TokenType.Control, tokenizer.Type(256));
        Assert.DoesNotContain(256, tokenizer.Encode("<|im_start|>"));
        Assert.Equal([257], tokenizer.Ends);
    }

    [Fact]
    public void User_defined_tokens_are_found_in_user_text_the_longest_first()
    {
        Vocabulary control = VocabulariesByHand.BytesWith("  ", "    ");
        Vocabulary defined = control with { Types = [.. control.Types[..256], TokenType.UserDefined, TokenType.UserDefined] };

        Assert.Equal(["    ", "  ", "Ġ", "x"], Spelt(defined, "       x"));
    }

    static string[] Spelt(Vocabulary vocabulary, string text)
    {
        var tokenizer = new Tokenizer(vocabulary);
        return [.. tokenizer.Encode(text).Select(tokenizer.Text)];
    }
}
