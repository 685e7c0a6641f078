using System.CommandLine;
using System.Diagnostics;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Measurement.Quality;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir perplexity</c>: how well a model predicts a text.</summary>
sealed class PerplexityVerb
{
    const int DefaultContext = 512; // llama.cpp's

    static readonly Option<string> s_model = ModelOption.Create();
    static readonly WeightsFlag s_weights = new();
    static readonly Option<string?> s_file = new("--file", "-f")
    {
        Description = "The text file, read as plain text; without it, or as '-', standard input", HelpName = "FILE",
    };
    static readonly Option<int?> s_context = new("--ctx-size", "-c")
    {
        Description = "Cut the text into windows of CTX tokens, each computed from its start, behind the model's opening token if it has one. Every token counts that has "
            + $"another before it in its window. Figures compare for equal CTX only; without it, {DefaultContext}, or the model's context "
            + $"if that is less",
        CustomParser = Number.ParseOptional<int>,
        HelpName = "CTX",
    };
    static readonly Option<int?> s_threads = EngineFlags.CreateThreads();
    static readonly KvTypeFlags s_types = new();
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object" };

    public static Command Create()
    {
        Command verb = new("perplexity")
        {
            s_model, s_file, s_context, s_threads, s_json,
        };
        foreach (Option option in (Option[])[.. s_weights.All, .. s_types.All])
            verb.Options.Add(option);
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        string? file = parsed.GetValue(s_file);
        if (file is null && !Console.IsInputRedirected)
            throw new UsageException("no text: give it with -f or on standard input");
        string text = TextInput.Read(file ?? "-");
        using LanguageModel model = s_weights.Load(parsed, parsed.GetRequiredValue(s_model));
        int[] tokens = Tokens(model, text, file);
        using InferenceEngine engine = new(model, Options(parsed, model));
        using Interrupt interrupt = new();
        RunVerb.WarnBeyondTraining(engine);
        PerplexityMeter meter = new();
        try
        {
            long start = Stopwatch.GetTimestamp();
            Perplexity perplexity = Perplexity.Of(engine, tokens, meter, interrupt.Token);
            meter.Clear();
            return Report(PerplexityReport.Of(engine, perplexity, Stopwatch.GetElapsedTime(start)), parsed.GetValue(s_json));
        }
        catch (OperationCanceledException)
        {
            meter.Clear();
            return Terminal.Error("interrupted", ExitCode.Failed);
        }
    }

    static int[] Tokens(LanguageModel model, string text, string? file)
    {
        int[] tokens = model.Tokenizer.Encode(text);
        int least = model.Tokenizer.Opening.IsEmpty ? 2 : 1;
        return tokens.Length >= least ? tokens : throw new IOException(
            $"{(file is null or "-" ? "standard input" : Printable.Line(file, 4096))}: {tokens.Length} tokens, expected at least {least}, "
                + $"so that one can be predicted from another");
    }

    static EngineOptions Options(ParseResult parsed, LanguageModel model)
    {
        EngineOptions options = s_types.Apply(parsed, new()
        {
            Context = parsed.GetValue(s_context) ?? Math.Min(model.Config.Context, DefaultContext), KvReuse = KvReuse.WithinSequence,
        }, model);
        return parsed.GetValue(s_threads) is { } threads ? options with { Threads = threads } : options;
    }

    static int Report(PerplexityReport report, bool json)
    {
        if (!double.IsFinite(report.Perplexity) || !double.IsFinite(report.StandardError))
            return Terminal.Error($"{report.Model}: perplexity {report.Perplexity}, expected a number: the model's weights are damaged, or "
                + $"it gives a token of the text no chance at all", ExitCode.Failed);
        if (json)
            VerbJson.Write(report);
        else
        {
            Console.Out.WriteLine($"{report.Perplexity:0.0000} ± {report.StandardError:0.0000}");
            Terminal.Line($"{report.Model} · {report.Tokens:N0} tokens in {report.Windows:N0} windows of {report.Context:N0} · "
                + $"{report.Seconds:0.0} s · {report.TokensPerS:N0} tok/s");
        }
        return ExitCode.Ok;
    }
}

/// <summary>What <c>perplexity --json</c> prints. The loss is in nats; standard errors are as if tokens were independent.</summary>
sealed record PerplexityReport(
    string Model, double Perplexity, double StandardError, double MeanLoss, double MeanLossError, int Tokens, int Windows, int Context,
    double Seconds, double TokensPerS)
{
    public static PerplexityReport Of(InferenceEngine engine, Perplexity measured, TimeSpan time) => new(
        engine.Model.Config.Name, measured.Value, measured.StandardError, measured.MeanLoss, measured.MeanLossError,
        measured.Tokens, measured.Windows,
        engine.Context, time.TotalSeconds, measured.Tokens / time.TotalSeconds);
}

/// <summary>Shows how far the text is and what it says so far.</summary>
sealed class PerplexityMeter : IProgress<PerplexityProgress>
{
    const int Width = 12; // the line must fit into 80 columns to be rewritten

    readonly StatusLine _line = new();

    public void Report(PerplexityProgress value) => _line.Show(() => Line(value));

    public void Clear() => _line.Clear();

    string Line(PerplexityProgress value)
    {
        (int done, int filled) = (value.SoFar.Tokens, (int)((long)Width * value.SoFar.Tokens / value.Tokens));
        string bar = Terminal.CanRewrite ? new string('━', filled) + new string('─', Width - filled) + " " : "";
        return $"{bar}{done:N0} of {value.Tokens:N0} tokens, {done / _line.Elapsed.TotalSeconds:N0} tok/s, perplexity "
            + $"{value.SoFar.Value:0.00} ± {value.SoFar.StandardError:0.00}";
    }
}
