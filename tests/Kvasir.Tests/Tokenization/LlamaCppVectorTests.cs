using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Tokenization;

/// <summary>llama.cpp's test strings become llama.cpp's tokens.</summary>
public sealed class LlamaCppVectorTests
{
    const string Separator = "\n__ggml_vocab_test__\n";

    [Theory]
    [InlineData("gpt-2")]
    [InlineData("llama-spm")]
    [InlineData("phi-3")]
    [InlineData("llama-bpe")]
    [InlineData("qwen2")]
    public void Every_vector_agrees(string name)
    {
        string[] texts = File.ReadAllText(Checkout.Shared($"tokenizers/ggml-vocab-{name}.gguf.inp")).Split(Separator);
        string[] expected = File.ReadAllLines(Checkout.Shared($"tokenizers/ggml-vocab-{name}.gguf.out"));
        var tokenizer = Vocabularies.Named(name);

        Assert.True(expected.Length > 40);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i].Trim(), string.Join(' ', tokenizer.EncodeTemplate(texts[i])));
            Assert.Equal(texts[i], tokenizer.Decode(tokenizer.Encode(texts[i])));
        }
    }
}
