using System.Globalization;
using System.Text.Json;
using Kvasir.Inference.Saga;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

public sealed class PerplexityVerbTests : IDisposable
{
    readonly TemporaryFolder _folder = new();
    readonly string _text = new SagaGenerator(2).Document(12).Text;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_answer_is_the_figure_and_its_error_wherever_the_text_comes_from()
    {
        string path = _folder.Write("text.txt", RawGguf.Bytes(_text));
        KvasirResult result = Run("perplexity", "-f", path, "-c", "64");
        Assert.Matches(@"^\d\.\d{4} ± \d\.\d{4}\n$", result.Answer);
        Assert.Matches(@"^Kvasir Saga · \d+ tokens in \d windows of 64 · \d+\.\d s · [\d,]+ tok/s\n$", result.Errors);
        Assert.Equal(result.Output, RunOn(_text, "perplexity", "-c", "64").Answer);
        Assert.Equal(result.Output, RunOn(_text, "perplexity", "-m", "saga", "-f", "-", "-c", "64", "-t", "1").Answer);

        JsonElement json = Run("perplexity", "-f", path, "-c", "64", "--json").Json;
        double perplexity = json.GetProperty("perplexity").GetDouble(), loss = json.GetProperty("mean_loss").GetDouble();
        Assert.StartsWith(perplexity.ToString("0.0000", CultureInfo.InvariantCulture), result.Output, StringComparison.Ordinal);
        Assert.Equal(Math.Exp(loss), perplexity, 1e-9);
        Assert.Equal(perplexity * json.GetProperty("mean_loss_error").GetDouble(), json.GetProperty("standard_error").GetDouble(), 1e-9);
        Assert.Equal(64, json.GetProperty("context").GetInt32());
        int all = Run("tokenize", "-f", path, "--json").Json.GetProperty("count").GetInt32(); // saga has no opening token
        Assert.Equal(all, json.GetProperty("tokens").GetInt32() + json.GetProperty("windows").GetInt32());
    }

    [Fact]
    public void A_window_is_512_tokens_or_what_the_model_was_trained_for()
    {
        Assert.Equal(512, RunOn(_text, "perplexity", "--json").Json.GetProperty("context").GetInt32());
        string tiny = (TinyModel.Llama with { ContextLength = 100 }).WriteTo(_folder["tiny.gguf"]);
        Assert.Equal(100, RunOn(_text, "perplexity", "-m", tiny, "--json").Json.GetProperty("context").GetInt32());
        Assert.StartsWith("warning: a context of 120 is beyond the 100 tokens",
            RunOn(_text, "perplexity", "-m", tiny, "-c", "120").Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_measured_is_named()
    {
        Run("perplexity").Fails(1, "standard input: 0 tokens, expected at least 2");
        Run("perplexity", "-f", _folder.Write("short.txt", [0x61])).Fails(1, "short.txt: 1 tokens, expected at least 2");
        Run("perplexity", "-f", _folder["missing.txt"]).Fails(1, "missing.txt: no such file");
        Run("perplexity", "-f", SagaModel.Path).Fails(1, "expected text in UTF-8");
        RunOn(_text, "perplexity", "-c", "1").Fails(2, "context: 1, expected at least 2");
        RunOn(_text, "perplexity", "-c", "0").Fails(2, "context: 0");
        RunOn(_text, "perplexity", "-t", "0").Fails(2, "--threads 0");
        RunOn(_text, "perplexity", "-c", "x").Fails(2, "--ctx-size x: expected a whole number");
    }

    [Fact]
    public async Task An_interrupt_ends_it_with_one_line()
    {
        string path = _folder.Write("long.txt",
            RawGguf.Bytes(string.Join("\n\n", Enumerable.Range(0, 300).Select(seed => new SagaGenerator(seed).Document(100).Text))));
        using KvasirProcess process = Start("perplexity", "-f", path, "-c", "8192", "-t", "1");
        await process.FirstNote; // the warning comes when all is ready
        process.Interrupt();
        KvasirResult result = process.Finish();
        Assert.Equal(1, result.ExitCode);
        Assert.Empty(result.Output);
        Assert.StartsWith("warning: a context of 8,192", result.Errors, StringComparison.Ordinal);
        Assert.EndsWith("\nkvasir: interrupted\n", result.Errors, StringComparison.Ordinal);
    }
}
