using System.Text.Json;
using Kvasir.Inference.Tokenization;
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

    [Fact]
    public void A_small_SentencePiece_model_reads_and_writes_as_in_llama_cpp()
    {
        Tokenizer tokenizer = Vocabularies.Stories;
        foreach (string line in File.ReadLines(Checkout.Shared("golden/stories260K.jsonl")))
        {
            using var json = JsonDocument.Parse(line);
            int[] Ints(string name) => [.. json.RootElement.GetProperty(name).EnumerateArray().Select(token => token.GetInt32())];
            int[] prompt = [.. tokenizer.Opening, .. tokenizer.EncodeTemplate(json.RootElement.GetProperty("prompt").GetString()!)];
            Assert.Equal(Ints("prompt_tokens"), prompt);

            var detokenizer = Detokenizer.After(tokenizer, prompt);
            string text = string.Concat(Ints("greedy_tokens").Select(detokenizer.Append)) + detokenizer.Flush();
            Assert.Equal(json.RootElement.GetProperty("text").GetString(), text);
        }

        // Its file spells "no such token" as 4294967295.
        Assert.Equal((1, 2, 0, null), (tokenizer.Bos, tokenizer.Eos, tokenizer.Unknown, tokenizer.Pad));
    }

    [Fact]
    public void Phi_3s_special_tokens_swallow_the_white_space_after_them()
    {
        Tokenizer tokenizer = Vocabularies.Phi3;

        int[] bare = tokenizer.EncodeTemplate("<|user|>Hi<|end|><|assistant|>");
        Assert.Equal(bare, tokenizer.EncodeTemplate("<|user|>\n  Hi<|end|>\n<|assistant|>\n"));
        Assert.NotEqual(tokenizer.EncodeTemplate("<|endoftext|>Hi"), tokenizer.EncodeTemplate("<|endoftext|> Hi"));
    }
}
