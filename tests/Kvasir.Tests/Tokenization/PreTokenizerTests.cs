using System.Text.Json;
using Kvasir.Inference.Tokenization;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Tokenization;

/// <summary>Text is cut into the words that each tokenizer's publisher cuts it into.</summary>
public sealed class PreTokenizerTests
{
    [Theory]
    [InlineData("gpt-2", "Hello|,| world|!|  | 3333|\n|x")]
    [InlineData("llama-bpe", "I|'LL| go|    \n|333|333|!!\n\n|x")]
    [InlineData("qwen2", "I|'ll|\tgo|3|3|3| !!\n|x")]
    [InlineData("smollm", "a|  |3|3| b|'s| '|S")]
    [InlineData("gpt-4o", "Hello|World's|HTMLParser| |123|4|..../")]
    [InlineData("tekken", "Hello|World|'s|1|2| ../")]
    [InlineData("deepseek-v3", "ab|123|4|漢字|ab|!x| !!")]
    [InlineData("deepseek-coder", "\n|\n| ab| !!|1|2|漢字")]
    [InlineData("default", "a| b|++|123|ab|...|333|3")]
    [InlineData("falcon", "a|`|b|123|4| b")]
    [InlineData("bloom", " ab12|.| c|,|d")]
    public void Words_end_where_the_pattern_says(string name, string words)
    {
        string[] expected = words.Split('|');
        Assert.Equal(expected, Words(name, string.Concat(expected)));
    }

    [Theory]
    [InlineData("𝒽ello| 𐐀𐐨|𝟘|𝟙|𝟚|!🚀🚀\n|𠀀𠀁a")]
    public void Characters_beyond_16_bits_count_as_what_they_are(string words)
    {
        string[] expected = words.Split('|');
        Assert.Equal(expected, Words("qwen2", string.Concat(expected)));
    }

    [Fact]
    public void Whole_words_win_over_merges_only_where_the_model_says()
    {
        Vocabulary bytes = VocabulariesByHand.Bytes;
        Vocabulary vocabulary = bytes with { Tokens = [.. bytes.Tokens, "ab", "abc", "bc"], Merges = ["b c"] };

        Assert.Equal(["a", "bc"], Spelt(vocabulary with { Pre = "qwen2" }, "abc"));
        Assert.Equal(["abc"], Spelt(vocabulary with { Pre = "llama-bpe" }, "abc"));
    }

    [Fact]
    public void SmolLm_is_cut_as_its_own_file_declares()
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Checkout.Shared("tokenizers/smollm2-tokenizer.json")));
        var steps = json.RootElement.GetProperty("pre_tokenizer").GetProperty("pretokenizers").EnumerateArray().ToList();

        Assert.Equal(["Digits", "ByteLevel"], steps.Select(step => step.GetProperty("type").GetString()));
        Assert.True(steps[0].GetProperty("individual_digits").GetBoolean());
        Assert.True(steps[1].GetProperty("use_regex").GetBoolean());
        Assert.Equal(["It", "'s", " ", "2", "0", "2", "4", ",", " ok", " ", " now"], Words("smollm", "It's 2024, ok  now"));
        Tokenizer tokenizer = Vocabularies.SmolLm2;
        Assert.Equal("It's 2024, ok  now", tokenizer.Decode(tokenizer.Encode("It's 2024, ok  now")));
    }

    static string[] Spelt(Vocabulary vocabulary, string text)
    {
        var tokenizer = new Tokenizer(vocabulary);
        return [.. tokenizer.Encode(text).Select(tokenizer.Text)];
    }

    static List<string> Words(string name, string text)
    {
        List<string> words = [];
        int start = 0;
        foreach (int end in PreTokenizers.Find(name)!.Split(text))
        {
            words.Add(text[start..end]);
            start = end;
        }
        return words;
    }
}
