using Kvasir.Inference.Saga;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary>What goes wrong is one line on standard error and an exit code: 1 when the command failed, 2 when it makes no sense.</summary>
public sealed class FailureTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("--ctx-size -1: expected 0 to 16777216", "-c", "-1")]
    [InlineData("--threads 0: expected 1 to 1024", "-t", "0")]
    [InlineData("--threads -3: expected 1 to 1024", "-t", "-3")]
    [InlineData("--max-tokens -3: expected -2 to", "-n", "-3")]
    [InlineData("temperature: -1", "--temp", "-1")]
    [InlineData("temperature: NaN", "--temp", "nan")]
    [InlineData("top-p: 2", "--top-p", "2")]
    [InlineData("--max-tokens x: expected a whole number", "-n", "x")]
    [InlineData("--threads 99999999999: expected a whole number", "-t", "99999999999")]
    [InlineData("--seed -1: expected a whole number from 0", "--seed", "-1")]
    [InlineData("--temp warm: expected a number", "--temp", "warm")]
    [InlineData("stop: an empty text", "--stop", "")]
    [InlineData("'--type'", "--type")]
    [InlineData("'second'", "second")]
    [InlineData(@"'\u{1b}[31m'", "\e[31m")]
    public void A_flag_that_makes_no_sense_is_named(string expected, params string[] flags) =>
        Run(["run", "hello", .. flags]).Fails(2, expected);

    [Theory]
    [InlineData("unknown command or flag 'sing'", "sing")]
    [InlineData("unknown command or flag '--sing'", "--sing")]
    [InlineData("Must be one of: 'f32' 'f16'", "quantize", "saga", "out", "--type", "q9")]
    [InlineData("expected KEY=VALUE", "quantize", "saga", "out", "--type", "q8_0", "--set", "name")]
    [InlineData("--facts 0: expected 1 to", "sample-document", "--facts", "0")]
    [InlineData("--count 0: expected 1 to", "sample-document", "--count", "0")]
    [InlineData("--questions -1: expected 0 to", "sample-document", "--questions", "-1")]
    [InlineData("--questions x: expected a whole number", "sample-document", "--questions", "x")]
    [InlineData("choose one", "chat", "--system", "a", "-f", "b")]
    [InlineData("choose one", "tokenize", "a", "-f", "b")]
    [InlineData("--file: the file's name is empty", "run", "hi", "-f", "")]
    [InlineData("--file: the file's name is empty", "tokenize", "-f", "")]
    [InlineData("--record: the file's name is empty", "serve", "--record", "")]
    [InlineData("--kv-retain: retention 'most': expected none, BUDGET, window:N, ", "serve", "--kv-retain", "most")]
    [InlineData("--kv-retain: retention 'quest:0%': '0%', expected a share of the pages above 0%", "run", "hi", "--kv-retain", "quest:0%")]
    [InlineData("--kv-retain-allow: retention 'h2o:0%': a budget of '0%', ", "serve", "--kv-retain-allow", "replay:25%; h2o:0%")]
    [InlineData("--kv-retain-allow: retention '': expected none, ", "serve", "--kv-retain-allow", "replay:25%;")]
    [InlineData("--api-key-file: the file's name is empty", "serve", "--api-key-file", "")]
    [InlineData("--chat-template-file: the file's name is empty", "run", "hi", "--chat-template-file", "")]
    [InlineData("--kv-dir: the directory's name is empty", "run", "hi", "--kv-dir", "")]
    [InlineData("OUT: the file's name is empty", "quantize", "saga", "", "--type", "q8_0")]
    [InlineData("OUT: the file's name is empty", "synth", "llama-3.2-1b", "")]
    [InlineData("MODEL", "show")]
    [InlineData("the prompt is empty", "run")]
    [InlineData("the prompt is empty", "run", "")]
    public void A_command_that_makes_no_sense_says_what_would(string expected, params string[] args) => Run(args).Fails(2, expected);

    [Fact]
    public void An_empty_chat_template_is_named()
    {
        foreach (string verb in (string[])["run", "serve"])
            Run([verb, .. verb == "run" ? ["hello"] : Array.Empty<string>(), "--chat-template-file", _folder.Write("empty.jinja", " \n"u8.ToArray())])
                .Fails(1, "empty.jinja: empty, expected a chat template");
    }

    [Fact]
    public void No_arguments_are_a_mistake_that_shows_the_help()
    {
        KvasirResult nothing = Run(), help = Run("--help");
        Assert.Equal(2, nothing.ExitCode);
        Assert.Empty(nothing.Output);
        Assert.Empty(help.Errors);
        Assert.Equal(help.Answer, nothing.Errors);
        Assert.All(["run", "chat", "show", "tokenize", "quantize", "sample-document"],
            verb => Assert.Contains($"  {verb}", help.Output, StringComparison.Ordinal));
    }

    [Fact]
    public void The_version_is_an_answer()
    {
        KvasirResult result = Run("--version");
        Assert.Matches(@"^\d+\.\d+\.\d+", result.Answer);
        Assert.Empty(result.Errors);
    }

    [Fact]
    public void A_model_that_is_none_fails_by_its_path()
    {
        byte[] saga = File.ReadAllBytes(SagaModel.Path);
        Refused(_folder["missing.gguf"], "no such file");
        Refused(_folder.Write("text.gguf", RawGguf.Bytes("hello\n")), "not a GGUF file");
        Refused(_folder[""], "weights: ");
        Refused(_folder.Write("header.gguf", saga[..1000]), "header");
        Refused(_folder.Write("tensors.gguf", saga[..1000000]), "bytes of data");

        static void Refused(string path, string why)
        {
            KvasirResult result = Run("run", "hello", "-m", path);
            result.Fails(1, why);
            Assert.Contains(path, result.Errors, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_document_that_is_no_text_fails_by_its_path()
    {
        Run("run", "hello", "-f", _folder["missing.txt"]).Fails(1, "missing.txt: no such file");
        Run("run", "hello", "-f", Path.GetTempPath()).Fails(1, "a directory");
        Run("run", "hello", "-f", SagaModel.Path).Fails(1, "expected text in UTF-8");
        Run("run", "hello", "-f", _folder.Write("latin1.txt", [0x68, 0xe9])).Fails(1, "byte 0xe9 at offset 1");
        RunOn("\0", "run").Fails(1, "standard input: byte 0x00 at offset 0");
    }

    [Fact]
    public void A_prompt_longer_than_the_context_fails_with_the_numbers_and_what_would_help()
    {
        string text = string.Concat(Enumerable.Repeat("The code of the old mill is 7351. ", 10));
        KvasirResult result = Run("run", text, "-c", "64");
        result.Fails(1, "tokens and the context holds 64 (this model was trained for up to 4,096); -c ");
        string room = System.Text.RegularExpressions.Regex.Match(result.Errors, @"-c (\d+)").Groups[1].Value;
        Assert.NotEmpty(Run("run", text, "-n", "2", "-c", room).Answer);
    }

    [Fact]
    public void A_prompt_longer_than_any_context_gets_no_promise()
    {
        string text = string.Concat(Enumerable.Repeat("The code of the old mill is 7351. ", 600));
        KvasirResult result = RunOn(text, "run", "-c", "64");
        result.Fails(1, "the context holds 64");
        Assert.DoesNotContain("-c ", result.Errors, StringComparison.Ordinal);
    }
}
