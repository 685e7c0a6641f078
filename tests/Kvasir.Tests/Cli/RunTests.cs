using System.Text.Json;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary><c>kvasir run</c>: the answer on standard output, all else on standard error.</summary>
public sealed class RunTests : IDisposable
{
    const string Once = "Once upon a time";

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_answer_goes_to_standard_output_and_one_line_of_statistics_to_standard_error()
    {
        KvasirResult result = Run("run", Once, "-n", "20");
        Assert.True(result.Answer.Trim().Length > 20, result.Output);
        string line = Assert.Single(KvasirResult.Lines(result.Errors));
        Assert.Matches(
            @"^prompt 4( \(3 from the cache\))?, answer 20 tokens · TTFT .* · prefill .* · decode .* tok/s · cut at the limit of tokens$",
            line);
        Assert.Equal(result.Output, Run("run", Once, "-n", "20").Answer);
    }

    [Fact]
    public void None_keeps_everything() =>
        Assert.Equal(Run("run", Once, "-n", "5").Answer, Run("run", Once, "-n", "5", "--kv-retain", "none").Answer);

    [Fact]
    public void Json_is_one_object_with_the_documented_fields_and_nothing_else()
    {
        KvasirResult result = Run("run", Once, "-n", "20", "--json");
        JsonElement json = result.Json;
        Assert.Empty(result.Errors);
        Assert.Equal(["model", "prompt_tokens", "completion_tokens", "token_ids", "text", "finish_reason", "seed", "timings", "kv",
            "speculative"], Names(json));
        Assert.Equal(["load_s", "ttft_s", "prefill_tokens_per_s", "decode_tokens_per_s"], Names(json.GetProperty("timings")));
        Assert.Equal(["reused", "computed", "restored_bytes", "restore_s", "saved_s", "miss", "bytes_per_token", "block_tokens"],
            Names(json.GetProperty("kv")));
        Assert.Equal(["device", "host", "disk", "remote"], Names(json.GetProperty("kv").GetProperty("reused")));
        Assert.Equal(20, json.GetProperty("completion_tokens").GetInt32());
        Assert.Equal(20, json.GetProperty("token_ids").GetArrayLength());
        Assert.Equal("length", json.GetProperty("finish_reason").GetString());
        int reused = json.GetProperty("kv").GetProperty("reused").EnumerateObject().Sum(tier => tier.Value.GetInt32());
        Assert.Equal(json.GetProperty("prompt_tokens").GetInt32(), reused + json.GetProperty("kv").GetProperty("computed").GetInt32());
        Assert.Equal(json.GetProperty("text").GetString() + "\n", Run("run", Once, "-n", "20").Answer);
    }

    [Fact]
    public void Equal_seeds_give_equal_answers_and_another_seed_another()
    {
        string seven = Sampled("7");
        Assert.Equal(seven, Sampled("7"));
        Assert.NotEqual(seven, Sampled("8"));

        static string Sampled(string seed) => Run("run", Once, "-n", "40", "--temp", "1", "--seed", seed).Answer;
    }

    [Fact]
    public void The_seed_that_was_drawn_gives_the_same_answer_again()
    {
        JsonElement drawn = Run("run", Once, "-n", "20", "--temp", "1", "--json").Json;
        JsonElement again = Run("run", Once, "-n", "20", "--temp", "1", "--json", "--seed", drawn.GetProperty("seed").GetRawText()).Json;
        Assert.Equal(Ids(drawn), Ids(again));
    }

    [Fact]
    public void Threads_and_the_cache_do_not_change_the_tokens()
    {
        string one = Tokens("-t", "1");
        Assert.Equal(one, Tokens("-t", "2"));
        Assert.Equal(one, Tokens("--no-kv-cache"));

        static string Tokens(params string[] flags) => Ids(Run(["run", Once, "-n", "30", "--json", .. flags]).Json);
    }

    [Theory]
    [InlineData("run", "-n", "10"), InlineData("run", "-", "-n", "10")]
    public void A_prompt_from_standard_input_is_like_one_from_the_command_line(params string[] args) =>
        Assert.Equal(Run("run", Once, "-n", "10").Answer, RunOn(Once + "\n", args).Answer);

    [Theory]
    [InlineData("@home"), InlineData("/h"), InlineData("[suggest]"), InlineData("<|im_end|>"), InlineData("🙂 Once upon a time")]
    public void Nothing_in_a_prompt_is_a_command(string prompt) =>
        Assert.Contains("answer 3 tokens", Asked(prompt).Errors, StringComparison.Ordinal);

    static KvasirResult Asked(string prompt)
    {
        KvasirResult result = Run("run", prompt, "-n", "3");
        Assert.NotEmpty(result.Answer);
        return result;
    }

    [Fact]
    public void A_question_about_a_document_is_answered()
    {
        string document = _folder.Write("document.txt",
            RawGguf.Bytes("Signe likes to eat berries. The code of the old mill is 7351. Knut works as a smith.\n"));
        Assert.Matches(@"^The code of .* is \d{4}\.\n$", Run("run", "-f", document, "What is the code of the old mill?").Answer);
        Assert.Matches(@"^The code of .* is \d{4}\.\n$",
            RunOn(File.ReadAllText(document), "run", "-f", "-", "What is the code of the old mill?").Answer);
    }

    [Fact]
    public void A_stop_text_that_spans_tokens_ends_the_answer_and_is_not_part_of_it()
    {
        string whole = Run("run", Once, "-n", "20").Answer.TrimEnd('\n');
        string stop = whole[11..17];
        KvasirResult stopped = Run("run", Once, "-n", "20", "--stop", "not there", "--stop", stop);
        Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)] + "\n", stopped.Answer);
        Assert.DoesNotContain("cut at", stopped.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void No_tokens_are_no_answer()
    {
        JsonElement json = Run("run", Once, "-n", "0", "--json").Json;
        Assert.Equal("", json.GetProperty("text").GetString());
        Assert.Equal("length", json.GetProperty("finish_reason").GetString());
    }

    [Fact]
    public void A_full_context_ends_the_answer()
    {
        KvasirResult result = Run("run", Once, "-c", "10");
        Assert.NotEmpty(result.Answer);
        Assert.Contains("answer 6 tokens", result.Errors, StringComparison.Ordinal);
        Assert.EndsWith("cut at the limit of tokens\n", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void A_context_beyond_training_is_warned_about() =>
        Assert.StartsWith("warning: a context of 8,192 is beyond the 4,096 tokens",
            Run("run", Once, "-n", "1", "-c", "8192").Errors, StringComparison.Ordinal);

    [Fact]
    public void A_chat_template_that_cannot_be_understood_is_named_and_no_matter_to_raw_text()
    {
        string model = _folder["tiny.gguf"], named = $"{model}: tokenizer.chat_template: line 1: ";
        var tiny = TinyModel.Llama.Build();
        tiny.Set("tokenizer.chat_template", "{{ [INST }}");
        tiny.Write(model, cancellation: TestContext.Current.CancellationToken);
        Run("run", "-m", model, "hello").Fails(1, named);
        Run("chat", "-m", model).Fails(1, named);
        Run("kv", "lookup", "-m", model, "hello").Fails(1, named);
        Assert.Contains("answer 3 tokens", Run("run", "-m", model, "hello", "--raw", "-n", "3").Errors, StringComparison.Ordinal);
        string own = _folder.Write("own.jinja", RawGguf.Bytes("{% if %}"));
        Run("run", "-m", model, "hello", "--chat-template-file", own).Fails(1, $"{own}: line 1: ");
        Run("run", "hello", "--raw", "--chat-template-file", "own.jinja").Fails(2, "choose one");
    }

    [Fact]
    public void Who_names_a_chat_template_wants_a_conversation_of_a_model_that_goes_on_with_texts()
    {
        string template = _folder.Write("own.jinja", RawGguf.Bytes("<|im_start|>{{ messages[0].content }}<|im_end|>"));
        KvasirResult result = Run("run", Once, "-n", "1", "--chat-template-file", template);
        Assert.Matches("prompt 6( |,)", result.Errors); // two frames more
    }

    [Fact]
    public void A_model_without_a_chat_template_goes_on_with_texts_and_answers_in_ChatML()
    {
        string model = TinyModel.Llama.WriteTo(_folder["tiny.gguf"]);
        string document = _folder.Write("document.txt", RawGguf.Bytes("Knut works as a smith."));
        KvasirResult text = Run("run", "-m", model, "hello", "-n", "3");
        KvasirResult question = Run("run", "-m", model, "-f", document, "hello", "-n", "3");
        Assert.Contains("prompt 1, answer 3 tokens", text.Errors, StringComparison.Ordinal); // hello is one token
        Assert.Contains("warning: this model has no chat template and is asked in ChatML", question.Errors, StringComparison.Ordinal);
        Assert.Contains("answer 3 tokens", question.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interrupt_ends_a_long_answer_at_once()
    {
        string prompt = string.Concat(Enumerable.Repeat("The sea was calm and gray. ", 300)); // all of it again for every token
        using KvasirProcess process = Start("run", "--raw", prompt, "-c", "16384", "--temp", "0", "--no-kv-cache");
        await process.Output.ReadAsync(new char[1].AsMemory(), TestContext.Current.CancellationToken);
        process.Interrupt();
        KvasirResult result = process.Finish();
        Assert.Equal(1, result.ExitCode);
        Assert.EndsWith("· interrupted\n", result.Errors, StringComparison.Ordinal);
        Assert.EndsWith("\n", result.Output, StringComparison.Ordinal);
    }

    static string[] Names(JsonElement json) => [.. json.EnumerateObject().Select(property => property.Name)];

    static string Ids(JsonElement json) => json.GetProperty("token_ids").GetRawText();
}
