using Kvasir.Inference.Tokenization;

namespace Kvasir.Tests.Tokenization;

/// <summary>Streaming shows whole characters, as soon as they are certain.</summary>
public sealed class DetokenizerTests
{
    [Fact]
    public void A_character_is_shown_when_its_last_byte_arrives()
    {
        Tokenizer tokenizer = Vocabularies.Saga;
        int[] tokens = tokenizer.Encode("🚀");
        var detokenizer = new Detokenizer(tokenizer);

        Assert.Equal(4, tokens.Length);
        Assert.Equal(["", "", "", "🚀", ""], [.. tokens.Select(detokenizer.Append), detokenizer.Flush()]);
    }

    [Fact]
    public void Bytes_that_no_longer_can_be_a_character_are_replaced_at_once()
    {
        Tokenizer tokenizer = Vocabularies.Saga;
        var detokenizer = new Detokenizer(tokenizer);

        Assert.Equal("", detokenizer.Append(tokenizer.Encode("🚀")[0]));
        Assert.Equal("\uFFFDa", detokenizer.Append(tokenizer.Encode("a")[0]));
    }

    [Fact]
    public void Flushing_replaces_half_a_character_and_starts_afresh()
    {
        Tokenizer tokenizer = Vocabularies.Saga;
        var detokenizer = new Detokenizer(tokenizer);
        detokenizer.Append(tokenizer.Encode("🚀")[0]);

        Assert.Equal("\uFFFD", detokenizer.Flush());
        Assert.Equal("", detokenizer.Flush());
    }

    [Fact]
    public void Control_tokens_are_hidden_unless_asked_for()
    {
        Tokenizer tokenizer = Vocabularies.Saga;
        int[] tokens = tokenizer.EncodeTemplate("<|im_start|>user\nHello<|im_end|>");

        Assert.Equal("user\nHello", tokenizer.Decode(tokens));
        Assert.Equal("<|im_start|>user\nHello<|im_end|>", tokenizer.Decode(tokens, ControlTokens.Shown));
    }

    [Fact]
    public void SentencePiece_loses_its_extra_space_only_where_text_begins()
    {
        Tokenizer tokenizer = Vocabularies.LlamaSpm;
        int[] hello = tokenizer.Encode("Hello");

        Assert.Equal("Hello", new Detokenizer(tokenizer).Append(hello[0]));
        Assert.Equal("Hello", Detokenizer.After(tokenizer, [.. tokenizer.Opening]).Append(hello[0]));
        Assert.Equal(" Hello", Detokenizer.After(tokenizer, tokenizer.Encode("He said:")).Append(hello[0]));
        Assert.Equal("Hello Hello", tokenizer.Decode([.. tokenizer.Opening, .. hello, .. hello]));
    }

    [Fact]
    public void A_token_outside_the_vocabulary_is_the_callers_mistake() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new Detokenizer(Vocabularies.Saga).Append(Vocabularies.Saga.VocabularySize));
}
