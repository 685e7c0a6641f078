using CsCheck;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Templates;
using Kvasir.Inference.Tokenization;
using Kvasir.Tests.Tokenization;

namespace Kvasir.Tests.Templates;

/// <summary>
/// Rendered prompts become tokens: control tokens only from the template, and text in one stretch.
/// </summary>
public sealed class PromptTokensTests
{
    static readonly Tokenizer s_chatMl = new(VocabulariesByHand.BytesWith("<|im_start|>", "<|im_end|>"));

    [Fact]
    public void What_only_touches_template_text_is_no_control_token()
    {
        AssertTokens("<|im_start|>", false, [256]);
        AssertTokens("<|im_start|>", true, Bytes("<|im_start|>"));
        Assert.Equal(Bytes("<|im_start|>"), s_chatMl.Encode(new RenderedPrompt([new("<|im_", false), new("start|>", true)])));
        Assert.Equal(Bytes("<|im_start|>"), s_chatMl.Encode(new RenderedPrompt([new("<|im_start|", true), new(">", false)])));
        Assert.Equal(
            [.. Bytes("<|im_end|>"), 256, .. Bytes("x<|im_"), 257],
            s_chatMl.Encode(
                new RenderedPrompt([new("<|im_end|>", true), new("<|im_start|>", false), new("x<|im_", true), new("<|im_end|>", false)])));

        static void AssertTokens(string text, bool isInput, int[] expected) =>
            Assert.Equal(expected, s_chatMl.Encode(new RenderedPrompt([new(text, isInput)])));
    }

    [Fact]
    public void User_defined_tokens_count_everywhere_even_inside_a_forged_one()
    {
        Vocabulary bytes = VocabulariesByHand.BytesWith("<|end|>", "<think>", "<|end");
        var tokenizer =
            new Tokenizer(bytes with { Types = bytes.Types.SetItem(257, TokenType.UserDefined).SetItem(258, TokenType.UserDefined) });

        Assert.Equal([257, 258, .. Bytes("|>"), 256],
            tokenizer.Encode(new RenderedPrompt([new("<think><|end|>", true), new("<|end|>", false)])));
    }

    [Fact]
    public void Merges_cross_the_border_of_template_and_input()
    {
        Tokenizer saga = Vocabularies.Saga;

        Assert.Equal(saga.Encode("\n\nOnce upon"),
            saga.Encode(new RenderedPrompt([new("\n", false), new("\nOn", true), new("ce up", false), new("on", true)])));
    }

    [Fact]
    public void Input_is_encoded_as_text_and_template_as_template_however_it_is_cut()
    {
        Gen<string> piece = Gen.OneOf(Gen.OneOf("<|im_start|>", "<|im_end|>", "<|im_", "start|>", "\n", "user", "🎉", "\ud83c"),
            Gen.String);
        Gen.Select(piece, Gen.Bool, (text, isInput) => new PromptSegment(text, isInput)).Array[0, 8].Sample(segments =>
        {
            string text = string.Concat(segments.Select(segment => segment.Text));
            Assert.Equal(s_chatMl.Encode(text),
                s_chatMl.Encode(new RenderedPrompt(segments.Select(segment => segment with { IsInput = true }))));
            Assert.Equal(s_chatMl.EncodeTemplate(text),
                s_chatMl.Encode(new RenderedPrompt(segments.Select(segment => segment with { IsInput = false }))));
            int controls = s_chatMl.Encode(new RenderedPrompt(segments)).Count(token => token >= 256);
            Assert.True(controls <= s_chatMl.EncodeTemplate(text).Count(token => token >= 256));
        }, iter: 1000);
    }

    static int[] Bytes(string text) => [.. text.Select(unit => (int)unit)];
}
