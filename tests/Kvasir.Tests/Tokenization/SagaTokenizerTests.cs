using System.Text.Json;
using System.Text.RegularExpressions;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Tokenization;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Tokenization;

/// <summary>Saga's vocabulary against ids that llama.cpp gave, with and without special tokens.</summary>
public sealed partial class SagaTokenizerTests
{
    static readonly JsonSerializerOptions s_snakeCase = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    sealed record Vector(string Text, int[] Tokens, int[] TemplateTokens);

    [Fact]
    public void Every_golden_text_agrees_as_user_text_and_as_template()
    {
        string path = Path.Combine(Checkout.Root, "tests/Kvasir.Tests/Golden/tokenizer-saga.jsonl");
        Vector[] vectors = [.. File.ReadLines(path).Select(line => JsonSerializer.Deserialize<Vector>(line, s_snakeCase)!)];
        Tokenizer tokenizer = Vocabularies.Saga;

        Assert.True(vectors.Length >= 40);
        Assert.All(vectors, vector =>
        {
            Assert.Equal(vector.Tokens, tokenizer.Encode(vector.Text));
            Assert.Equal(vector.TemplateTokens, tokenizer.EncodeTemplate(vector.Text));
            Assert.Equal(vector.Text, tokenizer.Decode(vector.Tokens));
            Assert.Equal(vector.Text, tokenizer.Decode(vector.TemplateTokens, ControlTokens.Shown));
        });
    }

    [Fact]
    public void Every_golden_prompt_has_the_tokens_that_llama_cpp_saw()
    {
        Tokenizer tokenizer = Vocabularies.Saga;
        foreach (var (prompt, tokens) in GoldenPrompts())
            Assert.Equal(tokens, tokenizer.EncodeTemplate(prompt));
    }

    [Fact]
    public void Every_golden_conversation_has_the_same_tokens_as_messages()
    {
        var prompts = new ChatPrompts(Vocabularies.Saga);
        var conversations = GoldenPrompts().Where(golden => golden.Prompt.StartsWith("<|im_start|>", StringComparison.Ordinal)).ToList();

        Assert.NotEmpty(conversations);
        foreach (var (prompt, tokens) in conversations)
        {
            ChatTranscript transcript = new();
            foreach (Match turn in Turn().Matches(prompt))
                transcript.Add(turn.Groups[1].Value, turn.Groups[2].Value);
            Assert.Equal(tokens, prompts.Encode(transcript.Messages));
        }
    }

    [Fact]
    public void The_file_names_the_special_tokens()
    {
        Tokenizer tokenizer = Vocabularies.Saga;

        Assert.Equal(1462, tokenizer.VocabularySize);
        Assert.Equal((1459, 1461, 1461, 1459), (tokenizer.Bos, tokenizer.Eos, tokenizer.Eot, tokenizer.Pad));
        Assert.Equal([1459, 1461], tokenizer.Ends.Order());
        Assert.Empty(tokenizer.Opening);
        Assert.Empty(tokenizer.Closing);
    }

    [Fact]
    public void Generated_tokens_read_as_llama_cpp_wrote_them()
    {
        foreach (string line in File.ReadLines(Path.Combine(Checkout.Root, "tests/Kvasir.Tests/Golden/saga.jsonl")))
        {
            using var json = JsonDocument.Parse(line);
            var detokenizer = Detokenizer.After(Vocabularies.Saga, Ints(json, "prompt_tokens"));
            string text = string.Concat(Ints(json, "greedy_tokens").Select(detokenizer.Append)) + detokenizer.Flush();
            Assert.Equal(json.RootElement.GetProperty("text").GetString(), text);
        }
    }

    static IEnumerable<(string Prompt, int[] Tokens)> GoldenPrompts()
    {
        foreach (string line in File.ReadLines(Path.Combine(Checkout.Root, "tests/Kvasir.Tests/Golden/saga.jsonl")))
        {
            using var json = JsonDocument.Parse(line);
            yield return (json.RootElement.GetProperty("prompt").GetString()!, Ints(json, "prompt_tokens"));
        }
    }

    static int[] Ints(JsonDocument json, string name) =>
        [.. json.RootElement.GetProperty(name).EnumerateArray().Select(token => token.GetInt32())];

    [GeneratedRegex(@"<\|im_start\|>(\w+)\n(.*?)<\|im_end\|>\n", RegexOptions.Singleline)]
    private static partial Regex Turn();
}
