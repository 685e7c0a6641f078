using System.Text.RegularExpressions;
using CsCheck;
using Kvasir.Inference.Tokenization;
using Microsoft.ML.Tokenizers;
using Tokenizer = Kvasir.Inference.Tokenization.Tokenizer;

namespace Kvasir.Tests.Tokenization;

/// <summary>
/// Microsoft.ML.Tokenizers as a second opinion on byte-level BPE, over text on which the two regular expression engines see the same
/// characters. Why it is not the engine itself is said in <see cref="Merger"/>.
/// </summary>
public sealed class LibraryAgreementTests
{
    [Theory]
    [InlineData("gpt-2", @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")]
    [InlineData("saga", @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")]
    public void Byte_level_bpe_agrees_with_the_library(string name, string pattern)
    {
        Tokenizer tokenizer = Vocabularies.Named(name);
        BpeTokenizer library = Library(tokenizer.Vocabulary, pattern);
        string[] scraps = ["the", "Einar", " lamp", "ing", " ", "\n", "aaaa", "été", "漢", "12", "'re", "?!", "_", "ab"];
        Gen<string> words = Gen.Int[0, scraps.Length - 1].Select(i => scraps[i]).Array[0, 30].Select(string.Concat);
        Gen<string> letters = Gen.Char['a', 'e'].Array[0, 60].Select(characters => new string(characters));

        Gen.OneOf(words, letters).Sample(text => Assert.Equal(library.EncodeToIds(text), tokenizer.Encode(text)), iter: 1_000);
    }

    static BpeTokenizer Library(Vocabulary vocabulary, string pattern) => BpeTokenizer.Create(
        new BpeOptions(vocabulary.Tokens.Select((text, id) => KeyValuePair.Create(text, id)))
        {
            Merges = vocabulary.Merges,
            ByteLevel = true,
            PreTokenizer = new RegexPreTokenizer(new Regex(pattern), null),
        });
}
