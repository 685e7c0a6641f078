using System.Text.Json;
using Kvasir.Formats.Gguf;
using Kvasir.Inference.Saga;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary>The verbs that work on files and texts.</summary>
public sealed class VerbTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Show_tells_what_the_shipped_model_is()
    {
        KvasirResult result = Run("show", "saga", "--tensors");
        Assert.All(["Kvasir Saga", "llama", "its own, without tools", "4,096 tokens", "1,536 bytes", "q8_0", "token_embd.weight"],
            fact => Assert.Contains(fact, result.Answer, StringComparison.Ordinal));
        Assert.Empty(result.Errors);
        JsonElement json = Run("show", "saga", "--json").Json;
        Assert.Equal("Kvasir Saga", json.GetProperty("name").GetString());
        Assert.Equal(4096, json.GetProperty("config").GetProperty("context").GetInt32());
        Assert.Equal(new FileInfo(SagaModel.Path).Length, json.GetProperty("file_bytes").GetInt64());
    }

    [Fact]
    public void A_model_that_cannot_run_can_be_shown_with_the_reason()
    {
        string path = _folder.Write("other.gguf", new RawGguf().Key("general.architecture", 8, RawGguf.Text("mamba")).ToArray());
        KvasirResult result = Run("show", path);
        Assert.Contains("mamba", result.Answer, StringComparison.Ordinal);
        Assert.StartsWith("not runnable: ", result.Errors, StringComparison.Ordinal);
        Assert.Contains("mamba", Run("show", path, "--json").Json.GetProperty("not_runnable").GetString(), StringComparison.Ordinal);
    }

    /// <summary>Gemma 3's layers: every sixth attends to everything, and they rotate in two ways.</summary>
    [Fact]
    public void Layers_that_differ_are_shown_in_groups()
    {
        var writer = new GgufWriter();
        writer.Set("general.architecture", "gemma3");
        foreach ((string key, object value) in (ReadOnlySpan<(string, object)>)[
            ("block_count", 14u), ("context_length", 8192u), ("embedding_length", 640u), ("feed_forward_length", 2048u),
            ("vocab_size", 100u), ("attention.head_count", 4u), ("attention.head_count_kv", 1u), ("attention.key_length", 256u),
            ("attention.value_length", 256u), ("attention.sliding_window", 512u), ("rope.freq_base", 1e6f)])
            writer.Set($"gemma3.{key}", value);
        writer.Write(_folder["gemma.gguf"], cancellation: TestContext.Current.CancellationToken);
        KvasirResult result = Run("show", _folder["gemma.gguf"]);
        Assert.Matches(@"heads +4 query, 1 key-value, of 256 elements", result.Answer);
        Assert.Matches(@"layers 0–4, 6–10, 12–13 +sliding window 512; RoPE base 10000, 256 elements of a head", result.Answer);
        Assert.Matches(@"layers 5, 11 +attending to everything; RoPE base 1000000, 256 elements of a head", result.Answer);
        Assert.Contains("28,672 bytes = 14 layers × 1 KV heads × (256 + 256) × 4 bytes", result.Answer, StringComparison.Ordinal);
        Assert.Contains("not runnable: ", result.Errors, StringComparison.Ordinal);
        JsonElement config = Run("show", _folder["gemma.gguf"], "--json").Json.GetProperty("config");
        Assert.Equal(JsonValueKind.Null, config.GetProperty("rope_base").ValueKind);
        Assert.Equal((4, 12), (config.GetProperty("heads").GetInt32(), config.GetProperty("windowed_layers").GetInt32()));
        Assert.Equal([12, 2], config.GetProperty("groups").EnumerateArray().Select(group => group.GetProperty("layers").GetArrayLength()));
    }

    [Fact]
    public void Tokens_are_listed_one_per_line()
    {
        KvasirResult result = Run("tokenize", "hé");
        Assert.Equal(["    104  \"h\"", "    195  c3", "    169  a9"], KvasirResult.Lines(result.Answer));
        Assert.Equal("3 tokens\n", result.Errors);
        Assert.Equal(result.Output, RunOn("hé", "tokenize").Answer);
        Assert.Equal(result.Output, Run("tokenize", "-f", _folder.Write("text.txt", RawGguf.Bytes("hé"))).Answer);
    }

    [Fact]
    public void Control_tokens_are_recognised_only_where_asked_for()
    {
        JsonElement special = Run("tokenize", "<|im_start|>", "--special", "--json").Json;
        JsonElement token = Assert.Single(special.GetProperty("tokens").EnumerateArray());
        Assert.Equal("<|im_start|>", token.GetProperty("text").GetString());
        JsonElement plain = Run("tokenize", "<|im_start|>", "--json").Json;
        Assert.True(plain.GetProperty("count").GetInt32() > 1);
        Assert.DoesNotContain(token.GetProperty("id").GetInt32(),
            plain.GetProperty("tokens").EnumerateArray().Select(other => other.GetProperty("id").GetInt32()));
    }

    [Fact]
    public void A_quantised_model_runs()
    {
        string path = _folder["q4.gguf"];
        KvasirResult result = Run("quantize", "saga", path, "--type", "q4_0", "--set", "general.name=smaller");
        Assert.Empty(result.Answer);
        Assert.Matches(@"^(quantize: \d+%\n)*.*q4\.gguf: q4_0, .* KiB \(.* of .* MiB\)\n$", result.Errors);
        JsonElement json = Run("run", "-m", path, "Once upon a time", "-n", "5", "--json").Json;
        Assert.Equal("smaller", json.GetProperty("model").GetString());
        Assert.Equal(5, json.GetProperty("completion_tokens").GetInt32());
        Assert.Equal(["q4.gguf"], _folder.Files);
    }

    [Fact]
    public void Quantize_reports_sizes_as_json()
    {
        string path = _folder["f16.gguf"];
        JsonElement json = Run("quantize", "saga", path, "--type", "f16", "--json").Json;
        Assert.Equal("f16", json.GetProperty("type").GetString());
        Assert.Equal(new FileInfo(path).Length, json.GetProperty("output_bytes").GetInt64());
    }

    [Fact]
    public void A_failure_to_quantize_leaves_what_was_there()
    {
        string there = _folder.Write("there.gguf", [1, 2, 3]);
        Run("quantize", _folder.Write("text.gguf", RawGguf.Bytes("hello")), there, "--type", "q8_0").Fails(1, "not a GGUF file");
        Run("quantize", there, there, "--type", "q8_0").Fails(1, "there.gguf");
        Assert.Equal([1, 2, 3], File.ReadAllBytes(there));
        Run("quantize", "saga", _folder["no/such/folder.gguf"], "--type", "q8_0").Fails(1, "cannot be written");
        Assert.Equal(["text.gguf", "there.gguf"], _folder.Files);
    }

    [Fact]
    public void Equal_seeds_give_equal_documents()
    {
        string document = Run("sample-document", "--seed", "3", "--facts", "20").Answer;
        Assert.Equal(document, Run("sample-document", "--seed", "3", "--facts", "20").Answer);
        Assert.NotEqual(document, Run("sample-document", "--seed", "4", "--facts", "20").Answer);
        Assert.Equal(document,
            Run("sample-document", "--seed", "3", "--facts", "20", "--json").Json.GetProperty("document").GetString() + "\n");
    }

    [Fact]
    public void Several_documents_are_those_of_the_seeds_that_follow()
    {
        string[] flags = ["--facts", "4", "--questions", "2"],
            alone = [.. Enumerable.Range(7, 3).Select(seed => Run(["sample-document", "--seed", $"{seed}", .. flags]).Answer)];
        Assert.Equal(string.Join('\n', alone), Run(["sample-document", "--seed", "7", "--count", "3", .. flags]).Answer);
        JsonElement[] json = Run(["sample-document", "--seed", "7", "--count", "3", "--json", .. flags]).JsonLines;
        Assert.Equal([7, 8, 9], json.Select(document => document.GetProperty("seed").GetInt32()));
        Assert.All(json.Zip(alone),
            pair => Assert.StartsWith(pair.First.GetProperty("document").GetString()!, pair.Second, StringComparison.Ordinal));
    }

    [Fact]
    public void Questions_are_json_lines_answered_by_the_facts()
    {
        string[] parts = Run("sample-document", "--seed", "5", "--facts", "12", "--questions", "9").Answer.Split("\n\n");
        var facts = new SagaGenerator(5).Document(12);
        Assert.Equal(facts.Text, parts[0]);
        var known = facts.Facts.SelectMany(fact => fact.Questions).ToDictionary(asked => asked.Text, asked => asked.Answer);
        string[] questions = KvasirResult.Lines(parts[1]);
        Assert.Equal(9, questions.Length);
        Assert.All(questions.Select(line => JsonElement.Parse(line)),
            asked => Assert.Equal(known[asked.GetProperty("question").GetString()!], asked.GetProperty("answer").GetString()));
    }
}
